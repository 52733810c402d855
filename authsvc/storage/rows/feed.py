"""Rows of the feed and of the audit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from authsvc.clock import from_microseconds, to_microseconds
from authsvc.model import (
    App,
    AuditEvent,
    AuditRow,
    Change,
    Gone,
    KeyRecord,
    LogLevel,
    Revision,
    SealedSecret,
    ServiceAccount,
    SessionRevoked,
    Subject,
    TokenRevoked,
    Watermark,
    session_text,
)

Entry = tuple[str, str, str]
"""What the feed calls a thing: its kind, its app and its name there."""

FEED_COLUMNS: Final = "revision, ordinal, kind, api_key, subject"
AUDIT_COLUMNS: Final = "at, revision, action, principal, api_key, subject, outcome, reason"


def feed_rows(revision: Revision, changes: Iterable[Change]) -> Iterator[tuple[Any, ...]]:
    """The columns ``FEED_COLUMNS`` of each change under a revision."""
    for ordinal, change in enumerate(changes):
        yield revision, ordinal, *entry(change)


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


def audit_from(row: tuple[Any, ...]) -> AuditRow:
    """The row of the audit in the columns id and ``AUDIT_COLUMNS``."""
    row_id, at, revision, *texts = row
    return AuditRow(row_id, Revision(revision or 0), AuditEvent(from_microseconds(at), *texts))


def secret_name(purpose: str, number: int) -> str:
    """What the feed calls a service-wide secret."""
    return f"{purpose}/{number}"


def entry(change: Change) -> Entry:
    """What the feed calls the thing that a change is about."""
    if isinstance(change, Gone):
        return change.kind, change.api_key, change.subject
    kind, name = _NAMES[type(change)]
    return kind, getattr(change, "api_key", ""), name(change)


_NAMES: Final[Mapping[type, tuple[Subject, Callable[[Any], str]]]] = {
    App: (Subject.APP, lambda _: ""),
    KeyRecord: (Subject.KEY, lambda key: key.key_id),
    ServiceAccount: (Subject.ACCOUNT, lambda account: account.id),
    SessionRevoked: (Subject.SESSION, lambda session: session_text(session.session_id)),
    TokenRevoked: (Subject.TOKEN, lambda token: token.token_id),
    Watermark: (Subject.WATERMARK, lambda mark: mark.user_id or ""),
    SealedSecret: (Subject.SECRET, lambda secret: secret_name(secret.purpose, secret.number)),
    LogLevel: (Subject.LEVEL, lambda level: level.scope),
}
