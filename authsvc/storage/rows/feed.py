"""Rows of the feed and of the audit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, assert_never

from authsvc.clock import to_microseconds
from authsvc.model import (
    App,
    AuditEvent,
    Change,
    KeyRecord,
    Revision,
    ServiceAccount,
    SessionRevoked,
    TokenRevoked,
    Watermark,
    session_text,
)

FEED_COLUMNS: Final = "revision, ordinal, kind, api_key, subject"
AUDIT_COLUMNS: Final = "at, revision, action, principal, api_key, subject, outcome, reason"


def feed_rows(revision: Revision, changes: Iterable[Change]) -> Iterator[tuple[Any, ...]]:
    """The columns ``FEED_COLUMNS`` of each change under a revision."""
    for ordinal, change in enumerate(changes):
        yield revision, ordinal, *_entry(change)


def audit_row(revision: Revision | None, event: AuditEvent) -> tuple[Any, ...]:
    """The columns ``AUDIT_COLUMNS``; no revision where nothing changed."""
    return (
        to_microseconds(event.at),
        revision,
        event.action,
        event.principal,
        event.api_key,
        event.subject,
        event.outcome,
        event.reason,
    )


def _entry(change: Change) -> tuple[str, str, str]:
    """The kind of a change, its app and what it is called there."""
    match change:
        case App():
            return "app", change.api_key, ""
        case KeyRecord():
            return "key", change.api_key, change.key_id
        case ServiceAccount():
            return "account", "", change.id
        case SessionRevoked():
            return "session", change.api_key, session_text(change.session_id)
        case TokenRevoked():
            return "token", change.api_key, change.token_id
        case Watermark():
            return "watermark", change.api_key, change.user_id or ""
        case _:
            assert_never(change)
