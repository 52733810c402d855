"""Apps and their keys: rows and records, and the statements that change them."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import apsw

from authsvc.clock import from_microseconds, to_microseconds
from authsvc.errors import AlreadyExists, NotFound, Reason
from authsvc.model import ApiKey, App, AuditEvent, KeyRecord, Revision
from authsvc.storage.sqlite.connection import Row, fetch, fetch_one
from authsvc.storage.sqlite.keys import insert_key
from authsvc.storage.sqlite.moments import lifetime, lifetime_microseconds
from authsvc.storage.sqlite.transaction import Transaction
from authsvc.storage.texts import past_issuers_from, past_issuers_text, settings_from, settings_text

_COLUMNS = (
    "api_key, settings, past_issuers, longest_ttl_ever, longest_session_ever, ever_non_expiring,"
    " version, revision, created_at, updated_at"
)


def create_app(transaction: Transaction, app: App, key: KeyRecord, audit: AuditEvent) -> App:
    """See ``Store.create_app``."""
    if key.api_key != app.api_key:
        raise ValueError("a new app's first key must be its own")
    if is_there(transaction.connection, app.api_key):
        raise AlreadyExists(Reason.APP_EXISTS)
    revision = transaction.next_revision()
    stored, first_key = replace(app, revision=revision), replace(key, revision=revision)
    transaction.fetch(f"INSERT INTO apps ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _row(stored))
    insert_key(transaction, first_key)
    transaction.publish(revision, (stored, first_key), audit)
    return stored


def edit_app(transaction: Transaction, api_key: ApiKey, edit: Callable[[App], App], audit: AuditEvent) -> App:
    """See ``Store.edit_app``."""
    row = fetch_one(transaction.connection, f"SELECT {_COLUMNS} FROM apps WHERE api_key = ?", (api_key,))
    if row is None:
        raise NotFound(Reason.APP_NOT_FOUND)
    before = _app(row)
    after = replace(edit(before), created_at=before.created_at, updated_at=transaction.clock())
    if after.api_key != api_key:
        raise ValueError("an edit must not rename an app")
    revision = transaction.next_revision()
    stored = replace(after, version=before.version + 1, revision=revision)
    transaction.fetch(
        f"UPDATE apps SET ({_COLUMNS}) = (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) WHERE api_key = ?", (*_row(stored), api_key)
    )
    transaction.publish(revision, (stored,), audit)
    return stored


def read_apps(connection: apsw.Connection) -> tuple[App, ...]:
    """All apps, by api_key."""
    return tuple(_app(row) for row in fetch(connection, f"SELECT {_COLUMNS} FROM apps ORDER BY api_key"))


def is_there(connection: apsw.Connection, api_key: ApiKey) -> bool:
    """Whether an app has this api_key."""
    return fetch_one(connection, "SELECT 1 FROM apps WHERE api_key = ?", (api_key,)) is not None


def _row(app: App) -> Row:
    return (
        app.api_key,
        settings_text(app.settings),
        past_issuers_text(app.past_issuers),
        lifetime_microseconds(app.longest_ttl_ever),
        lifetime_microseconds(app.longest_session_ever),
        app.ever_non_expiring,
        app.version,
        app.revision,
        to_microseconds(app.created_at),
        to_microseconds(app.updated_at),
    )


def _app(row: Row) -> App:
    api_key, settings, past_issuers, longest_ttl, longest_session, non_expiring, version, revision, *moments = row
    created_at, updated_at = map(from_microseconds, moments)
    return App(
        api_key=ApiKey(api_key),
        settings=settings_from(settings),
        longest_ttl_ever=lifetime(longest_ttl),
        longest_session_ever=lifetime(longest_session),
        ever_non_expiring=bool(non_expiring),
        past_issuers=past_issuers_from(past_issuers),
        version=version,
        revision=Revision(revision),
        created_at=created_at,
        updated_at=updated_at,
    )
