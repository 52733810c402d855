"""The statements of signing keys."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Callable

import apsw

from authsvc.errors import NotFound, Reason
from authsvc.model import ApiKey, AuditEvent, KeyRecord
from authsvc.storage.rows.keys import COLUMNS, from_row, in_order, key_edit, to_row
from authsvc.storage.sqlite.connection import fetch
from authsvc.storage.sqlite.transaction import Transaction

_PUT = f"""
INSERT INTO keys ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (api_key, key_id) DO UPDATE SET
    algorithm = excluded.algorithm, state = excluded.state, sealed = excluded.sealed, public_jwk = excluded.public_jwk,
    created_at = excluded.created_at, activated_at = excluded.activated_at, retired_at = excluded.retired_at,
    revoked_at = excluded.revoked_at, imported = excluded.imported, revision = excluded.revision"""


def insert_key(transaction: Transaction, key: KeyRecord) -> None:
    """Keep a new key; the schema refuses a second active one of the app."""
    transaction.fetch(f"INSERT INTO keys ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", to_row(key))


def edit_keys(
    transaction: Transaction,
    api_key: ApiKey,
    edit: Callable[[tuple[KeyRecord, ...]], tuple[KeyRecord, ...]],
    audit: AuditEvent | None,
) -> tuple[KeyRecord, ...]:
    """See ``Store.edit_keys``."""
    if transaction.fetch_one("SELECT 1 FROM apps WHERE api_key = ?", (api_key,)) is None:
        raise NotFound(Reason.APP_NOT_FOUND)
    rows = transaction.fetch(f"SELECT {COLUMNS} FROM keys WHERE api_key = ?", (api_key,))
    before = in_order([from_row(row) for row in rows])
    wanted = key_edit(api_key, before, edit(before))
    if wanted.nothing:
        return before
    revision = transaction.next_revision()
    edited = wanted.under(revision)
    for key_id in edited.removed:
        transaction.fetch("DELETE FROM keys WHERE api_key = ? AND key_id = ?", (api_key, key_id))
    for key in edited.changed:
        transaction.fetch(_PUT, to_row(key))
    transaction.publish(revision, edited.changes(revision), audit)
    return edited.after()


def read_keys(connection: apsw.Connection) -> tuple[KeyRecord, ...]:
    """All keys, by app and key id."""
    return tuple(from_row(row) for row in fetch(connection, f"SELECT {COLUMNS} FROM keys ORDER BY api_key, key_id"))
