"""The statements of log levels."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Sequence

import apsw

from authsvc.model import AuditEvent, LogLevel, Revision
from authsvc.storage.rows.levels import COLUMNS, check_levels, from_row, level_changes, to_row
from authsvc.storage.sqlite.connection import fetch
from authsvc.storage.sqlite.transaction import Transaction


def set_levels(transaction: Transaction, levels: Sequence[LogLevel], *, reset: bool, audit: AuditEvent) -> Revision:
    """See ``Store.set_levels``."""
    check_levels(levels)
    forgotten = [scope for (scope,) in transaction.fetch("SELECT scope FROM log_levels")] if reset else []
    if not levels and not forgotten:
        return _head(transaction.connection)
    revision = transaction.next_revision()
    changes = level_changes(levels, forgotten, revision)
    transaction.fetch("DELETE FROM log_levels WHERE ?", (reset,))
    for change in changes:
        if isinstance(change, LogLevel):
            transaction.fetch(f"REPLACE INTO log_levels ({COLUMNS}) VALUES (?, ?, ?, ?)", to_row(change))
    transaction.publish(revision, changes, audit)
    return revision


def read_levels(connection: apsw.Connection, now: int) -> tuple[LogLevel, ...]:
    """The levels whose time has not passed, by scope."""
    statement = f"SELECT {COLUMNS} FROM log_levels WHERE until > ? ORDER BY scope"
    return tuple(from_row(row) for row in fetch(connection, statement, (now,)))


def _head(connection: apsw.Connection) -> Revision:
    ((revision,),) = fetch(connection, "SELECT revision FROM feed_head")
    return Revision(revision)
