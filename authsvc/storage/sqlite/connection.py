"""Connections to the database: how they are opened, and the one way statements are run on them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import apsw

Row = tuple[Any, ...]
Values = Sequence[Any] | Mapping[str, Any]

_PAUSE: Final = 0.0005
"""Seconds between two looks at a lock that another process holds."""

_PRAGMAS = (
    "PRAGMA synchronous = FULL",  # a commit is on the disk before anyone hears of it
    "PRAGMA foreign_keys = ON",
    "PRAGMA mmap_size = 0",  # with a memory map an I/O error would be a signal that ends the process
    "PRAGMA temp_store = MEMORY",  # nothing of ours in files elsewhere
    "PRAGMA cell_size_check = ON",
    "PRAGMA journal_size_limit = 67108864",  # what a burst made of the write-ahead log is given back
)

_CONFIG = (
    (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),  # no statement may write to the schema's own tables
    (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
    (apsw.SQLITE_DBCONFIG_DQS_DML, 0),  # a misspelt column in double quotes is an error, not a text
    (apsw.SQLITE_DBCONFIG_DQS_DDL, 0),
)


def fetch(connection: apsw.Connection, statement: str, values: Values = ()) -> list[Row]:
    """Run one statement to its end: apsw stops at the first row until it is asked for the rest.

    Raises ``ValueError`` for text with a NUL character: this engine would keep it, others cannot.
    """
    for value in values.values() if isinstance(values, Mapping) else values:
        if isinstance(value, str) and "\0" in value:
            raise ValueError("text that is kept must not hold a NUL character")
    return connection.execute(statement, values).fetchall()


def stream(connection: apsw.Connection, statement: str, values: Sequence[Any] = ()) -> Iterator[Row]:
    """The rows of one reading statement as they are asked for: to be read to the end, in a read transaction."""
    return iter(connection.execute(statement, values))


def fetch_one(connection: apsw.Connection, statement: str, values: Values = ()) -> Row | None:
    """The first row, or None."""
    rows = fetch(connection, statement, values)
    return rows[0] if rows else None


@dataclass(frozen=True, slots=True)
class Database:
    """Where the database is and how connections to it behave.

    ``busy_timeout`` bounds the wait for another process's lock; ``vfs`` names a registered file system of SQLite.
    """

    path: Path
    busy_timeout: timedelta
    vfs: str | None = None

    def connect(self, *, query_only: bool = False) -> apsw.Connection:
        """Open a connection; may raise any of ``ENGINE_FAULTS``."""
        connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=self.vfs)
        try:
            self._settle(connection)
            fetch(connection, f"PRAGMA query_only = {int(query_only)}")
        except BaseException:
            connection.close(True)
            raise
        return connection

    def anchor(self) -> apsw.Connection:
        """A connection to hold for as long as the store is open, and to do nothing with.

        Whoever opens a database that nobody has open reads its log from the disk, and would find there what a commit
        wrote before its flush failed: a change that was refused, and that the listener never heard of. While someone
        has it open, such leftovers are overwritten.
        """
        return self.connect(query_only=True)

    def _settle(self, connection: apsw.Connection) -> None:
        connection.set_busy_handler(_waiting(self.busy_timeout.total_seconds()))
        for option, value in _CONFIG:
            connection.config(option, value)
        for pragma in _PRAGMAS:
            fetch(connection, pragma)


def _waiting(patience: float) -> Callable[[int], bool]:
    """What is asked each time a lock is found held: whether to try again, after a moment.

    SQLite's own waits grow to a tenth of a second. A process that writes all the time lets go of its lock for
    microseconds only, and whoever looks ten times a second may not meet one of them in seconds.
    """
    began = 0.0

    def wait(asked_before: int) -> bool:
        nonlocal began
        now = time.monotonic()
        began = now if asked_before == 0 else began
        time.sleep(_PAUSE)
        return now - began < patience

    return wait


class Slot:
    """Room for one connection, which is opened when it is needed and given up after a fault.

    Not for two threads at once.
    """

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._connect = connect
        self._connection: apsw.Connection | None = None

    def connection(self) -> apsw.Connection:
        """The open connection; may raise any of ``ENGINE_FAULTS``."""
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def discard(self) -> None:
        """Close the connection, and with it whatever transaction it was in; the next use opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(apsw.Error):
                connection.close(True)
