"""Where a page of a list begins, as the columns that it is sorted by have it."""

from __future__ import annotations

import uuid
from typing import Final

from authsvc.model import SessionId, Subject

_FIRST: Final = b""
"""Before every session: their ids have sixteen bytes."""


def after_session(after: SessionId | None) -> bytes:
    """The column ``id`` of the last session that was read."""
    return _FIRST if after is None else after


def after_revocation(kind: Subject, after: str | None) -> bytes | str | None:
    """The column of the last thing that was read, from what the feed calls it.

    None for watermarks that begin at the beginning: the whole app's has an empty name, so no name is before it.
    Raises ``ValueError`` for what is no name of that kind, and for a kind that is not revoked.
    """
    match kind:
        case Subject.SESSION:
            return _FIRST if after is None else _session_column(after)
        case Subject.TOKEN:
            return after or ""
        case Subject.WATERMARK:
            return after
        case _:
            raise ValueError(f"a {kind} is not revoked")


def _session_column(text: str) -> bytes:
    try:
        return uuid.UUID(text).bytes
    except ValueError:
        raise ValueError("a list of sessions goes on after a session's id") from None
