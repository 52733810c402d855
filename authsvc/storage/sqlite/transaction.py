"""A unit's part of the write transaction: its statements, its revision, its audit and what it will be known by."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Iterable

import apsw

from authsvc.clock import Clock
from authsvc.model import AuditEvent, Change, Commit, Revision
from authsvc.storage.rows.feed import AUDIT_COLUMNS, FEED_COLUMNS, audit_row, feed_rows
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

    def repeat(self, statement: str, rows: Iterable[Row]) -> None:
        """Run one statement for each row of values."""
        self.connection.executemany(statement, rows).fetchall()

    def next_revision(self) -> Revision:
        """Take the store's next revision. Call it after all checks: only rows that carry the number come after it."""
        ((revision,),) = self.fetch("UPDATE feed_head SET revision = revision + 1 RETURNING revision")
        return Revision(revision)

    def publish(self, revision: Revision, changes: tuple[Change, ...], audit: AuditEvent | None) -> None:
        """Write the feed and the audit rows of this revision, and have the listener told once it is durable."""
        for row in feed_rows(revision, changes):
            self.fetch(f"INSERT INTO feed ({FEED_COLUMNS}) VALUES (?, ?, ?, ?, ?)", row)
        if audit is not None:
            statement = f"INSERT INTO audit ({AUDIT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            self.fetch(statement, audit_row(revision, audit))
        self.commit = Commit(revision, changes)
