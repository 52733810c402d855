"""Watermarks, single tokens and ended sessions as rows and back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

from authsvc.clock import from_microseconds
from authsvc.model import ApiKey, Revision, SessionId, SessionRevoked, TokenId, TokenRevoked, UserId, Watermark
from authsvc.storage.columns import Columns
from authsvc.storage.rows.moments import optional_moment

WHOLE_APP: Final = ""
"""Stands in the column ``user_id`` of an app's own watermark."""

WATERMARK_COLUMNS: Final = (
    "api_key, user_id, tokens_revision, tokens_revoked_at, tokens_issued_before,"
    " sessions_revision, sessions_created_before, revision, sessions_revoked_at"
)
TOKEN_COLUMNS: Final = "api_key, token_id, until, revision"
SESSION_COLUMNS: Final = "api_key, id, due_at, revoked_revision"
"""Of ended sessions: ``due_at`` is then until when each is remembered."""

FLOOR_COLUMNS: Final = "restored_revision, restored_at"
"""Of the table ``meta``, as a ``Floor``."""

RAISE_FLOOR: Final = """
UPDATE meta SET
    restored_revision = (SELECT revision FROM feed_head),
    restored_at = (SELECT max(tokens_revoked_at) FROM watermarks WHERE user_id = '')"""
"""What an app's watermark holds now stays so. The same on both backends."""


class Floor(NamedTuple):
    """What a restore revoked in every app: that much of an app's watermark is never cleared, and never forgotten."""

    revision: int = 0
    moment: int | None = None


def sessions_of(rows: Iterable[tuple[Any, ...]]) -> Columns[SessionRevoked]:
    """Many rows of ``SESSION_COLUMNS``."""
    return Columns("sbii", session_from, rows)


def tokens_of(rows: Iterable[tuple[Any, ...]]) -> Columns[TokenRevoked]:
    """Many rows of ``TOKEN_COLUMNS``."""
    return Columns("stni", token_from, rows)


def watermarks_of(rows: Iterable[tuple[Any, ...]]) -> Columns[Watermark]:
    """Many rows of ``WATERMARK_COLUMNS``."""
    return Columns("stinninin", watermark_from, rows)


def user_column(user_id: UserId | None) -> str:
    """The column ``user_id`` of a watermark; None is the whole app. Raises ``ValueError`` for an empty id."""
    if user_id == WHOLE_APP:
        raise ValueError("an empty user id is no user; None stands for the whole app")
    return user_id or WHOLE_APP


def watermark_from(row: tuple[Any, ...]) -> Watermark:
    """The watermark in the columns ``WATERMARK_COLUMNS``."""
    api_key, user_id, tokens_revision, revoked_at, issued_before, sessions_revision, created_before = row[:7]
    revision, sessions_revoked_at = row[7:]
    return Watermark(
        api_key=ApiKey(api_key),
        user_id=UserId(user_id) if user_id != WHOLE_APP else None,
        tokens_revision=Revision(tokens_revision),
        tokens_revoked_at=optional_moment(revoked_at),
        tokens_issued_before=optional_moment(issued_before),
        sessions_revision=Revision(sessions_revision),
        sessions_created_before=optional_moment(created_before),
        revision=Revision(revision),
        sessions_revoked_at=optional_moment(sessions_revoked_at),
    )


def token_from(row: tuple[Any, ...]) -> TokenRevoked:
    """The single token in the columns ``TOKEN_COLUMNS``."""
    api_key, token_id, until, revision = row
    return TokenRevoked(ApiKey(api_key), TokenId(token_id), optional_moment(until), Revision(revision))


def session_from(row: tuple[Any, ...]) -> SessionRevoked:
    """The ended session in the columns ``SESSION_COLUMNS``."""
    api_key, session_id, until, revision = row
    return SessionRevoked(ApiKey(api_key), SessionId(session_id), from_microseconds(until), Revision(revision))


def outlasts(revoked: TokenRevoked, until: datetime | None) -> bool:
    """Whether an ended token is remembered for as long as that (None: for ever) already."""
    return revoked.until is None or (until is not None and revoked.until >= until)
