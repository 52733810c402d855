"""A database that was put back becomes the store: in a new epoch, with everything revoked, in one transaction."""

from __future__ import annotations

import contextlib
from secrets import token_hex
from typing import Final

from authsvc.clock import deadline_after, from_microseconds
from authsvc.model import ApiKey, Revision
from authsvc.storage.migrate import shipped
from authsvc.storage.postgres.database import Database
from authsvc.storage.postgres.link import Link
from authsvc.storage.postgres.lock import StoreLock
from authsvc.storage.postgres.present import NOW, Present, microseconds
from authsvc.storage.postgres.schema import refuse_old
from authsvc.storage.postgres.statement import Statement, by_column, places
from authsvc.storage.postgres.transaction import Transaction
from authsvc.storage.postgres.trust import read_trust_state
from authsvc.storage.postgres.watermarks import raise_watermark
from authsvc.storage.rows.feed import AUDIT_COLUMNS, audit_row
from authsvc.storage.rows.restoring import (
    Check,
    Known,
    Progress,
    Restored,
    next_epoch,
    next_revision,
    restored_event,
)
from authsvc.storage.rows.retention import FOR_EVER
from authsvc.storage.rows.revocations import RAISE_FLOOR

PATIENCE: Final = 600.0
"""Seconds for all of it: a watermark for each app, in one transaction."""

_HEAD = Statement(f"SELECT epoch, revision, {NOW} FROM feed_head CROSS JOIN meta")  # noqa: S608 - a constant
_LIVE = Statement(
    "SELECT count(*) FROM sessions WHERE revoked_at IS NULL AND least(idle_expires_at, absolute_expires_at) > :now"
)
_MOVE = Statement("UPDATE feed_head SET revision = :revision")
_RAISE_EPOCH = Statement("UPDATE meta SET epoch = :epoch")
_FORGET_FEED = Statement("DELETE FROM feed")
_AUDIT = Statement(f"INSERT INTO audit ({AUDIT_COLUMNS}) VALUES ({places(AUDIT_COLUMNS)})")  # noqa: S608 - constants
_APPS = Statement("SELECT api_key FROM apps ORDER BY api_key")
_REMEMBER = Statement("UPDATE watermarks SET due_at = :due_at WHERE user_id = ''")
_RAISE_FLOOR = Statement(RAISE_FLOOR)
_COUNTS = Statement("SELECT revision, (SELECT count(*) FROM keys), (SELECT count(*) FROM accounts) FROM feed_head")


def restore_database(link: Link, database: Database, *, check: Check, present: Present, progress: Progress) -> Restored:
    """Take what is in the database for the store. Raises ``StoreRefused``, what ``check`` raises, ``psycopg.Error``."""
    refuse_old(link, shipped("postgres"))
    with contextlib.closing(StoreLock(database, exclusive=True)):
        progress("checking")
        transaction = Transaction(link, deadline_after(PATIENCE), microseconds(present), token_hex(8))
        try:
            check(read_trust_state(transaction.fetch, transaction.present))
            progress("revoking")
            restored = _renew(transaction)
            transaction.finish()
        finally:
            transaction.undo()
    progress("done")
    return restored


def _renew(transaction: Transaction) -> Restored:
    ((epoch, revision, now),) = transaction.fetch(_HEAD(present=transaction.present))
    known, moment = Known(epoch, revision), from_microseconds(now)
    epoch, first = next_epoch(known), next_revision(known, now)
    ((sessions,),) = transaction.fetch(_LIVE(now=now))
    transaction.later(_MOVE(revision=first))
    transaction.later(_RAISE_EPOCH(epoch=epoch))
    transaction.later(_FORGET_FEED())
    transaction.later(_AUDIT.of(by_column(AUDIT_COLUMNS, audit_row(first, restored_event(moment, ApiKey(""))))))
    apps = [ApiKey(api_key) for (api_key,) in transaction.fetch(_APPS())]
    for api_key in apps:
        raise_watermark(transaction, api_key, None, restored_event(moment, api_key), None)
    transaction.later(_REMEMBER(due_at=FOR_EVER))
    transaction.later(_RAISE_FLOOR())
    ((head, keys, accounts),) = transaction.fetch(_COUNTS())
    return Restored(epoch, Revision(head), len(apps), sessions, keys, accounts)
