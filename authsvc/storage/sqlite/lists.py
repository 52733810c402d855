"""What operators look at: sessions and revocations of an app, page by page, in the order of their names."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import apsw

from authsvc.clock import from_microseconds
from authsvc.model import Subject
from authsvc.storage.base import Revocation, SessionState
from authsvc.storage.rows.revocations import (
    SESSION_COLUMNS,
    TOKEN_COLUMNS,
    WATERMARK_COLUMNS,
    session_from,
    token_from,
    watermark_from,
)
from authsvc.storage.rows.sessions import COLUMNS, from_row
from authsvc.storage.sqlite.connection import Row, fetch
from authsvc.storage.sqlite.sessions import COVERED

Page = Mapping[str, object]
"""api_key, user_id (None: everybody's), after, limit and now, as the columns have them."""

_SESSIONS = f"""
SELECT {COLUMNS}, {COVERED}, max(:now, rotated_at) FROM sessions
WHERE api_key = :api_key AND id > :after"""

_OF_USER = " AND user_id = :user_id"

_LIVE = f"""
    AND revoked_at IS NULL AND NOT {COVERED}
    AND idle_expires_at > max(:now, rotated_at) AND absolute_expires_at > max(:now, rotated_at)"""

_PAGE_BY_ID = " ORDER BY id LIMIT :limit"

_ENDED = f"""
SELECT {SESSION_COLUMNS} FROM sessions
WHERE api_key = :api_key AND id > :after AND revoked_at IS NOT NULL AND due_at > :now"""

_TOKENS = f"""
SELECT {TOKEN_COLUMNS} FROM revoked_tokens
WHERE api_key = :api_key AND token_id > :after AND (until IS NULL OR until > :now)
ORDER BY token_id LIMIT :limit"""

_MARKS = f"""
SELECT {WATERMARK_COLUMNS} FROM watermarks
WHERE api_key = :api_key AND user_id >= coalesce(:after, '') AND user_id IS NOT :after AND (
    tokens_revision > 0 OR tokens_revoked_at IS NOT NULL OR tokens_issued_before IS NOT NULL
    OR sessions_revision > 0 OR sessions_created_before IS NOT NULL)"""

_PAGE_BY_USER = " ORDER BY user_id LIMIT :limit"

_REVOCATIONS: Final[Mapping[Subject, tuple[str, str, Callable[[Row], Revocation]]]] = {
    Subject.SESSION: (_ENDED + _PAGE_BY_ID, _ENDED + _OF_USER + _PAGE_BY_ID, session_from),
    Subject.TOKEN: (_TOKENS, "", token_from),
    Subject.WATERMARK: (_MARKS + _PAGE_BY_USER, _MARKS + _OF_USER + _PAGE_BY_USER, watermark_from),
}


def read_sessions(connection: apsw.Connection, page: Page, *, include_ended: bool) -> tuple[SessionState, ...]:
    """See ``Store.list_sessions``."""
    chosen = _OF_USER if page["user_id"] is not None else ""
    live = "" if include_ended else _LIVE
    rows = fetch(connection, _SESSIONS + chosen + live + _PAGE_BY_ID, page)
    return tuple(
        SessionState(from_row(tuple(columns)), bool(covered), from_microseconds(now)) for *columns, covered, now in rows
    )


def read_revocations(connection: apsw.Connection, page: Page, *, kind: Subject) -> tuple[Revocation, ...]:
    """See ``Store.list_revocations``."""
    everybody, one_user, from_row_of = _REVOCATIONS[kind]
    statement = everybody if page["user_id"] is None else one_user
    return tuple(from_row_of(row) for row in fetch(connection, statement, page)) if statement else ()
