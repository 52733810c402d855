"""A unit's part of the write transaction: its statements, its revision, its audit and what it will be known by."""

from __future__ import annotations

from typing import assert_never

import apsw

from authsvc.clock import Clock, to_microseconds
from authsvc.model import (
    App,
    AuditEvent,
    Change,
    Commit,
    KeyRecord,
    Revision,
    ServiceAccount,
    SessionRevoked,
    TokenRevoked,
    Watermark,
    session_text,
)
from authsvc.storage.sqlite.connection import Row, Values, fetch, fetch_one


class Transaction:
    """What a unit of work is given; of no use once the unit has ended."""

    __slots__ = ("clock", "commit", "connection")

    def __init__(self, connection: apsw.Connection, clock: Clock) -> None:
        self.connection = connection
        self.clock = clock
        self.commit: Commit | None = None

    def fetch(self, statement: str, values: Values = ()) -> list[Row]:
        """Run one statement to its end."""
        return fetch(self.connection, statement, values)

    def fetch_one(self, statement: str, values: Values = ()) -> Row | None:
        """The first row, or None."""
        return fetch_one(self.connection, statement, values)

    def next_revision(self) -> Revision:
        """Take the store's next revision. Call it after all checks: only rows that carry the number come after it."""
        ((revision,),) = self.fetch("UPDATE feed_head SET revision = revision + 1 RETURNING revision")
        return Revision(revision)

    def publish(self, revision: Revision, changes: tuple[Change, ...], audit: AuditEvent) -> None:
        """Write the feed and the audit rows of this revision, and have the listener told once it is durable."""
        for ordinal, change in enumerate(changes):
            self.fetch("INSERT INTO feed VALUES (?, ?, ?, ?, ?)", (revision, ordinal, *_feed_entry(change)))
        self._audit(revision, audit)
        self.commit = Commit(revision, changes)

    def _audit(self, revision: Revision | None, event: AuditEvent) -> None:
        self.fetch(
            "INSERT INTO audit (at, revision, action, principal, api_key, subject, outcome, reason)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                to_microseconds(event.at),
                revision,
                event.action,
                event.principal,
                event.api_key,
                event.subject,
                event.outcome,
                event.reason,
            ),
        )


def _feed_entry(change: Change) -> tuple[str, str, str]:
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
