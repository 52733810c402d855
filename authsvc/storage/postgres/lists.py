"""What operators look at: sessions and revocations of an app, page by page, in the order of their names.

Which index is best depends on the app and on the page, so these are planned for their values each time.
"""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from authsvc.clock import from_microseconds
from authsvc.model import ApiKey, SessionId, Subject, UserId
from authsvc.storage.base import Revocation, SessionState
from authsvc.storage.postgres.present import NOW
from authsvc.storage.postgres.sessions import COVERED
from authsvc.storage.postgres.statement import Request, Row, Statement
from authsvc.storage.rows.lists import after_revocation, after_session
from authsvc.storage.rows.revocations import (
    SESSION_COLUMNS,
    TOKEN_COLUMNS,
    WATERMARK_COLUMNS,
    session_from,
    token_from,
    user_column,
    watermark_from,
)
from authsvc.storage.rows.sessions import COLUMNS, from_row

_PRESENT = f"WITH present AS MATERIALIZED (SELECT {NOW} AS moment)"
_MOMENT = "(SELECT moment FROM present)"
_OF_USER = " AND user_id = :user_id"

_SESSIONS = f"""
{_PRESENT} SELECT {COLUMNS}, {COVERED}, greatest({_MOMENT}, rotated_at) FROM sessions
WHERE api_key = :api_key AND id > :after"""

_LIVE = f"""
    AND revoked_at IS NULL AND NOT {COVERED}
    AND idle_expires_at > greatest({_MOMENT}, rotated_at) AND absolute_expires_at > greatest({_MOMENT}, rotated_at)"""

_PAGE_BY_ID = " ORDER BY id LIMIT :limit"

_ENDED = f"""
{_PRESENT} SELECT {SESSION_COLUMNS} FROM sessions
WHERE api_key = :api_key AND id > :after AND revoked_revision IS NOT NULL AND due_at > {_MOMENT}"""

_TOKENS = f"""
{_PRESENT} SELECT {TOKEN_COLUMNS} FROM revoked_tokens
WHERE api_key = :api_key AND token_id > :after AND (until IS NULL OR until > {_MOMENT})
ORDER BY token_id LIMIT :limit"""

_MARKS = f"""
SELECT {WATERMARK_COLUMNS} FROM watermarks
WHERE api_key = :api_key AND (:after::text IS NULL OR user_id > :after) AND (
    tokens_revision > 0 OR tokens_revoked_at IS NOT NULL OR tokens_issued_before IS NOT NULL
    OR sessions_revision > 0 OR sessions_created_before IS NOT NULL)"""

_PAGE_BY_USER = " ORDER BY user_id LIMIT :limit"

_list = partial(Statement, planned=True)

_OF_SESSIONS: Final = {
    (of_user, ended): _list(_SESSIONS + _OF_USER * of_user + _LIVE * (not ended) + _PAGE_BY_ID)
    for of_user in (False, True)
    for ended in (False, True)
}

_OF_REVOCATIONS: Final[Mapping[Subject, tuple[Statement, Statement | None, Callable[[Row], Revocation]]]] = {
    Subject.SESSION: (_list(_ENDED + _PAGE_BY_ID), _list(_ENDED + _OF_USER + _PAGE_BY_ID), session_from),
    Subject.TOKEN: (_list(_TOKENS), None, token_from),
    Subject.WATERMARK: (
        _list(_MARKS + _PAGE_BY_USER),
        _list(_MARKS + _OF_USER + _PAGE_BY_USER),
        watermark_from,
    ),
}

Fetch = Callable[[Request], list[Row]]


def read_sessions(
    fetch: Fetch,
    api_key: ApiKey,
    user_id: UserId | None,
    after: SessionId | None,
    *,
    include_ended: bool,
    **page: int | None,
) -> tuple[SessionState, ...]:
    """See ``Store.list_sessions``; ``page`` holds ``limit`` and ``present``."""
    statement = _OF_SESSIONS[user_id is not None, include_ended]
    rows = fetch(statement.of({**_whose(api_key, user_id), "after": after_session(after), **page}))
    return tuple(
        SessionState(from_row(tuple(columns)), covered, from_microseconds(now)) for *columns, covered, now in rows
    )


def read_revocations(
    fetch: Fetch,
    api_key: ApiKey,
    user_id: UserId | None,
    after: str | None,
    *,
    kind: Subject,
    **page: int | None,
) -> tuple[Revocation, ...]:
    """See ``Store.list_revocations``; ``page`` holds ``limit`` and ``present``."""
    values = {**_whose(api_key, user_id), "after": after_revocation(kind, after), **page}
    everybody, one_user, from_columns = _OF_REVOCATIONS[kind]
    statement = everybody if user_id is None else one_user
    return tuple(map(from_columns, fetch(statement.of(values)))) if statement is not None else ()


def _whose(api_key: ApiKey, user_id: UserId | None) -> dict[str, Any]:
    return {"api_key": api_key, "user_id": user_column(user_id)}
