"""The statements of apps and their keys."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import apsw

from authsvc.errors import AlreadyExists, NotFound, Reason
from authsvc.model import ApiKey, App, AuditEvent, KeyRecord
from authsvc.storage.rows.apps import COLUMNS, from_row, to_row
from authsvc.storage.rows.retention import LIFE_COLUMNS, Life, life_from
from authsvc.storage.sqlite.connection import fetch, fetch_one
from authsvc.storage.sqlite.keys import insert_key
from authsvc.storage.sqlite.transaction import Transaction


def create_app(transaction: Transaction, app: App, key: KeyRecord, audit: AuditEvent) -> App:
    """See ``Store.create_app``."""
    if key.api_key != app.api_key:
        raise ValueError("a new app's first key must be its own")
    if is_there(transaction.connection, app.api_key):
        raise AlreadyExists(Reason.APP_EXISTS)
    revision = transaction.next_revision()
    stored, first_key = replace(app, revision=revision), replace(key, revision=revision)
    transaction.fetch(f"INSERT INTO apps ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", to_row(stored))
    insert_key(transaction, first_key)
    transaction.publish(revision, (stored, first_key), audit)
    return stored


def edit_app(transaction: Transaction, api_key: ApiKey, edit: Callable[[App], App], audit: AuditEvent) -> App:
    """See ``Store.edit_app``."""
    row = fetch_one(transaction.connection, f"SELECT {COLUMNS} FROM apps WHERE api_key = ?", (api_key,))
    if row is None:
        raise NotFound(Reason.APP_NOT_FOUND)
    before = from_row(row)
    after = replace(edit(before), created_at=before.created_at, updated_at=transaction.clock())
    if after.api_key != api_key:
        raise ValueError("an edit must not rename an app")
    revision = transaction.next_revision()
    stored = replace(after, version=before.version + 1, revision=revision)
    transaction.fetch(
        f"UPDATE apps SET ({COLUMNS}) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE api_key = ?", (*to_row(stored), api_key)
    )
    transaction.publish(revision, (stored,), audit)
    return stored


def read_apps(connection: apsw.Connection) -> tuple[App, ...]:
    """All apps, by api_key."""
    return tuple(from_row(row) for row in fetch(connection, f"SELECT {COLUMNS} FROM apps ORDER BY api_key"))


def is_there(connection: apsw.Connection, api_key: ApiKey) -> bool:
    """Whether an app has this api_key."""
    return fetch_one(connection, "SELECT 1 FROM apps WHERE api_key = ?", (api_key,)) is not None


def life_of(connection: apsw.Connection, api_key: ApiKey) -> Life:
    """How long what an app gives out can live; raises ``NotFound`` (APP_NOT_FOUND)."""
    row = fetch_one(connection, f"SELECT {LIFE_COLUMNS} FROM apps WHERE api_key = ?", (api_key,))
    if row is None:
        raise NotFound(Reason.APP_NOT_FOUND)
    return life_from(row)
