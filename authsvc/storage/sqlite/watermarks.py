"""Watermarks and single tokens: what is revoked without touching what it covers."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from datetime import datetime

import apsw

from authsvc.clock import to_microseconds
from authsvc.errors import NotFound, Reason
from authsvc.model import ApiKey, AuditEvent, Revision, TokenId, TokenRevoked, UserId, Watermark
from authsvc.storage.sqlite.apps import is_there
from authsvc.storage.sqlite.connection import Row, fetch
from authsvc.storage.sqlite.moments import optional_moment
from authsvc.storage.sqlite.transaction import Transaction

_WHOLE_APP = ""

_COLUMNS = (
    "api_key, user_id, tokens_revision, tokens_revoked_at, tokens_issued_before,"
    " sessions_revision, sessions_created_before, revision"
)

# Every part keeps the larger value. max() is NULL when one side is, hence coalesce.
_RAISE = f"""
INSERT INTO watermarks ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
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
    revision = excluded.revision
RETURNING {_COLUMNS}"""


def raise_watermark(
    transaction: Transaction,
    api_key: ApiKey,
    user_id: UserId | None,
    audit: AuditEvent,
    issued_before: datetime | None,
) -> Revision:
    """See ``Store.raise_watermark``."""
    if user_id == _WHOLE_APP:
        raise ValueError("an empty user id is no user; None stands for the whole app")
    if not is_there(transaction.connection, api_key):
        raise NotFound(Reason.APP_NOT_FOUND)
    revision = transaction.next_revision()
    values = (api_key, user_id or _WHOLE_APP, *_parts(transaction, revision, issued_before), revision)
    (row,) = transaction.fetch(_RAISE, values)
    transaction.publish(revision, (_watermark(row),), audit)
    return revision


def read_watermarks(connection: apsw.Connection) -> tuple[Watermark, ...]:
    """All watermarks, by app and user; an app's own comes before its users'."""
    rows = fetch(connection, f"SELECT {_COLUMNS} FROM watermarks ORDER BY api_key, user_id")
    return tuple(_watermark(row) for row in rows)


def read_revoked_tokens(connection: apsw.Connection, now: int) -> tuple[TokenRevoked, ...]:
    """The single tokens that were ended and would still live, by app and token id."""
    statement = (
        "SELECT api_key, token_id, until, revision FROM revoked_tokens"
        " WHERE until IS NULL OR until > ? ORDER BY api_key, token_id"
    )
    return tuple(
        TokenRevoked(ApiKey(api_key), TokenId(token_id), optional_moment(until), Revision(revision))
        for api_key, token_id, until, revision in fetch(connection, statement, (now,))
    )


def _parts(transaction: Transaction, revision: Revision, issued_before: datetime | None) -> Row:
    """What this call wants of each part: tokens' revision, revoked_at and issued_before; sessions' two."""
    if issued_before is None:
        return revision, to_microseconds(transaction.clock()), None, revision, None
    moment = to_microseconds(issued_before)
    return 0, None, moment, 0, moment


def _watermark(row: Row) -> Watermark:
    api_key, user_id, tokens_revision, revoked_at, issued_before, sessions_revision, created_before, revision = row
    return Watermark(
        api_key=ApiKey(api_key),
        user_id=UserId(user_id) if user_id != _WHOLE_APP else None,
        tokens_revision=Revision(tokens_revision),
        tokens_revoked_at=optional_moment(revoked_at),
        tokens_issued_before=optional_moment(issued_before),
        sessions_revision=Revision(sessions_revision),
        sessions_created_before=optional_moment(created_before),
        revision=Revision(revision),
    )
