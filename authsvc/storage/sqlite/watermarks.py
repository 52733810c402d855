"""The statements of watermarks: what is revoked without touching what it covers."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from datetime import datetime

import apsw

from authsvc.clock import to_microseconds
from authsvc.model import ApiKey, AuditEvent, Revision, UserId, Watermark
from authsvc.storage.columns import Columns
from authsvc.storage.rows.retention import watermark_due
from authsvc.storage.rows.revocations import (
    FLOOR_COLUMNS,
    WATERMARK_COLUMNS,
    Floor,
    user_column,
    watermark_from,
    watermarks_of,
)
from authsvc.storage.sqlite.apps import life_of
from authsvc.storage.sqlite.connection import Row, stream
from authsvc.storage.sqlite.transaction import Transaction

# Every part keeps the larger value. max() is NULL when one side is, hence coalesce.
_RAISE = f"""
INSERT INTO watermarks ({WATERMARK_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (api_key, user_id) DO UPDATE SET
    tokens_revision = max(tokens_revision, excluded.tokens_revision),
    tokens_revoked_at = max(
        coalesce(tokens_revoked_at, excluded.tokens_revoked_at),
        coalesce(excluded.tokens_revoked_at, tokens_revoked_at)),
    tokens_issued_before = max(
        coalesce(tokens_issued_before, excluded.tokens_issued_before),
        coalesce(excluded.tokens_issued_before, tokens_issued_before)),
    sessions_revision = max(sessions_revision, excluded.sessions_revision),
    sessions_created_before = max(
        coalesce(sessions_created_before, excluded.sessions_created_before),
        coalesce(excluded.sessions_created_before, sessions_created_before)),
    sessions_revoked_at = max(
        coalesce(sessions_revoked_at, excluded.sessions_revoked_at),
        coalesce(excluded.sessions_revoked_at, sessions_revoked_at)),
    revision = excluded.revision
RETURNING {WATERMARK_COLUMNS}"""

_FLOOR = f"SELECT {FLOOR_COLUMNS} FROM meta"

_COVERS_TOKENS = """
SELECT 1 FROM watermarks WHERE api_key = :api_key AND user_id = :user_id AND (
    tokens_revision > :floor_revision
    OR coalesce(tokens_revoked_at, 0) > coalesce(:floor_moment, 0)
    OR tokens_issued_before IS NOT NULL)"""

_CLEAR = f"""
UPDATE watermarks SET
    tokens_revision = :floor_revision, tokens_revoked_at = :floor_moment, tokens_issued_before = NULL,
    revision = :revision
WHERE api_key = :api_key AND user_id = :user_id RETURNING {WATERMARK_COLUMNS}"""

_PUT_OFF = "UPDATE watermarks SET due_at = ? WHERE api_key = ? AND user_id = ?"
_PUT_FURTHER_OFF = "UPDATE watermarks SET due_at = max(due_at, ?) WHERE api_key = ? AND user_id = ?"


def raise_watermark(
    transaction: Transaction,
    api_key: ApiKey,
    user_id: UserId | None,
    audit: AuditEvent,
    issued_before: datetime | None,
) -> Revision:
    """See ``Store.raise_watermark``."""
    user = user_column(user_id)
    life = life_of(transaction.connection, api_key)
    revision = transaction.next_revision()
    (row,) = transaction.fetch(_RAISE, (api_key, user, *_parts(transaction, revision, issued_before)))
    mark = watermark_from(row)
    transaction.fetch(_PUT_FURTHER_OFF, (watermark_due(mark, life), api_key, user))
    transaction.publish(revision, (mark,), audit)
    return revision


def clear_watermark(
    transaction: Transaction, api_key: ApiKey, user_id: UserId | None, audit: AuditEvent
) -> Revision | None:
    """See ``Store.clear_watermark``."""
    floor = Floor(*transaction.fetch(_FLOOR)[0]) if user_id is None else Floor()
    values = {
        "api_key": api_key,
        "user_id": user_column(user_id),
        "floor_revision": floor.revision,
        "floor_moment": floor.moment,
    }
    if transaction.fetch_one(_COVERS_TOKENS, values) is None:
        return None
    life = life_of(transaction.connection, api_key)
    revision = transaction.next_revision()
    (row,) = transaction.fetch(_CLEAR, {**values, "revision": revision})
    mark = watermark_from(row)
    transaction.fetch(_PUT_OFF, (watermark_due(mark, life, floor), api_key, values["user_id"]))
    transaction.publish(revision, (mark,), audit)
    return revision


def read_watermarks(connection: apsw.Connection) -> Columns[Watermark]:
    """All watermarks, by app and user; an app's own comes before its users'."""
    return watermarks_of(stream(connection, f"SELECT {WATERMARK_COLUMNS} FROM watermarks ORDER BY api_key, user_id"))


def _parts(transaction: Transaction, revision: Revision, issued_before: datetime | None) -> Row:
    """What this call wants of each part, in the columns after the user's."""
    if issued_before is None:
        now = to_microseconds(transaction.clock())
        return revision, now, None, revision, None, revision, now
    moment = to_microseconds(issued_before)
    return 0, None, moment, 0, moment, revision, None
