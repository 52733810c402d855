"""The statements of apps."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from authsvc.errors import AlreadyExists, NotFound, Reason
from authsvc.model import ApiKey, App, AuditEvent, KeyRecord
from authsvc.storage.postgres.keys import INSERT as INSERT_KEY
from authsvc.storage.postgres.present import NOW
from authsvc.storage.postgres.statement import Statement, by_column, places
from authsvc.storage.postgres.transaction import Transaction
from authsvc.storage.rows.apps import COLUMNS, from_row, to_row
from authsvc.storage.rows.keys import COLUMNS as KEY_COLUMNS
from authsvc.storage.rows.keys import to_row as key_to_row
from authsvc.storage.rows.retention import LIFE_COLUMNS, Life, life_from

IS_THERE: Final = Statement("SELECT 1::bigint FROM apps WHERE api_key = :api_key")

_INSERT = Statement(
    f"INSERT INTO apps ({COLUMNS}) VALUES ({places(COLUMNS)}) ON CONFLICT DO NOTHING RETURNING 1::bigint"
)
_LIFE = Statement(f"SELECT {LIFE_COLUMNS} FROM apps WHERE api_key = :api_key")

# Others may read the app meanwhile, and refer to it; only another edit waits.
_HOLD = Statement(f"SELECT {COLUMNS} FROM apps WHERE api_key = :api_key FOR NO KEY UPDATE")

_UPDATE = Statement(f"""
UPDATE apps SET
    settings = :settings, past_issuers = :past_issuers, longest_ttl_ever = :longest_ttl_ever,
    longest_session_ever = :longest_session_ever, ever_non_expiring = :ever_non_expiring,
    version = version + 1, revision = :revision, updated_at = {NOW}
WHERE api_key = :api_key RETURNING {COLUMNS}""")


def create_app(transaction: Transaction, app: App, key: KeyRecord, audit: AuditEvent) -> App:
    """See ``Store.create_app``."""
    if key.api_key != app.api_key:
        raise ValueError("a new app's first key must be its own")
    if transaction.fetch(IS_THERE(api_key=app.api_key)):
        raise AlreadyExists(Reason.APP_EXISTS)
    revision = transaction.next_revision()
    stored, first_key = replace(app, revision=revision), replace(key, revision=revision)
    if not transaction.fetch(_INSERT.of(by_column(COLUMNS, to_row(stored)))):  # a rival was faster
        raise AlreadyExists(Reason.APP_EXISTS)
    transaction.later(INSERT_KEY.of(by_column(KEY_COLUMNS, key_to_row(first_key))))
    transaction.publish(revision, (stored, first_key), audit)
    return stored


def edit_app(transaction: Transaction, api_key: ApiKey, edit: Callable[[App], App], audit: AuditEvent) -> App:
    """See ``Store.edit_app``."""
    row = transaction.fetch_one(_HOLD(api_key=api_key))
    if row is None:
        raise NotFound(Reason.APP_NOT_FOUND)
    after = edit(from_row(row))
    if after.api_key != api_key:
        raise ValueError("an edit must not rename an app")
    transaction.go_on()
    revision = transaction.next_revision()
    values = by_column(COLUMNS, to_row(replace(after, revision=revision)))
    (row,) = transaction.fetch(_UPDATE.of({**values, "present": transaction.present}))
    stored = from_row(row)
    transaction.publish(revision, (stored,), audit)
    return stored


def life_of(transaction: Transaction, api_key: ApiKey) -> Life:
    """How long what an app gives out can live; raises ``NotFound`` (APP_NOT_FOUND)."""
    row = transaction.fetch_one(_LIFE(api_key=api_key))
    if row is None:
        raise NotFound(Reason.APP_NOT_FOUND)
    return life_from(row)
