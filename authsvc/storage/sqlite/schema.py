"""Bringing a database file to the schema this program knows: the journal's kind, the migrations, the store's own row.

Any number of processes may do this to one new file at the same time: each step is taken by one and found done by the
rest. What is not new is changed by who has it alone: see ``opening``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import apsw

from authsvc.clock import Clock, Randomness, to_microseconds
from authsvc.storage.errors import NotAStore, SchemaTooOld
from authsvc.storage.migrate import Applied, Migration, missing
from authsvc.storage.sqlite.connection import fetch

_ATTEMPTS: Final = 10

_REMEMBER = """
CREATE TABLE IF NOT EXISTS migrations (
    number     INTEGER NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT"""


def due(connection: apsw.Connection, migrations: Sequence[Migration]) -> tuple[Migration, ...]:
    """What the database still needs, in order; changes nothing. Raises as ``bring_up``."""
    return missing(migrations, applied(connection))


def refuse_old(connection: apsw.Connection, migrations: Sequence[Migration]) -> None:
    """Raise ``SchemaTooOld`` for a store that has some of them and lacks others; otherwise as ``due``."""
    needed = due(connection, migrations)
    if is_of_old(needed, migrations):
        raise SchemaTooOld(found=len(migrations) - len(needed), known=len(migrations))


def is_of_old(needed: Sequence[Migration], migrations: Sequence[Migration]) -> bool:
    """Whether a database that needs those of them is an older store: neither new nor up to date."""
    return 0 < len(needed) < len(migrations)


def bring_up(
    connection: apsw.Connection, migrations: Sequence[Migration], *, clock: Clock, randomness: Randomness
) -> int:
    """Make the database ready for use; returns the store's epoch.

    Raises ``NotAStore``, ``SchemaTooNew`` and ``MigrationChanged`` before anything is changed, and any of
    ``ENGINE_FAULTS``.
    """
    due(connection, migrations)
    _use_write_ahead_log(connection)
    while _apply_next(connection, migrations, clock):
        pass
    return _introduce(connection, randomness)


def _use_write_ahead_log(connection: apsw.Connection) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            fetch(connection, "PRAGMA journal_mode = WAL")
        except apsw.BusyError:  # two that switch at once refuse each other without waiting
            if attempt == _ATTEMPTS - 1:
                raise
            fetch(connection, "BEGIN IMMEDIATE")  # this one waits for the other
            fetch(connection, "COMMIT")
        else:
            return


def _apply_next(connection: apsw.Connection, migrations: Sequence[Migration], clock: Clock) -> bool:
    """Apply the first migration that is missing, in a transaction of its own; False when there is none.

    A new store is made in one: nobody ever finds it half made, and takes it for an old one.
    """
    if not due(connection, migrations):
        return False
    with writing(connection):
        fetch(connection, _REMEMBER)
        still = due(connection, migrations)  # again: another process may have been here meanwhile
        for migration in still if len(still) == len(migrations) else still[:1]:
            _apply(connection, migration, clock)
    return True


@contextmanager
def writing(connection: apsw.Connection) -> Iterator[None]:
    """The block is one transaction that writes."""
    fetch(connection, "BEGIN IMMEDIATE")
    try:
        yield
        fetch(connection, "COMMIT")
    except BaseException:
        if connection.in_transaction:
            fetch(connection, "ROLLBACK")
        raise


def _apply(connection: apsw.Connection, migration: Migration, clock: Clock) -> None:
    fetch(connection, migration.sql)
    fetch(
        connection,
        "INSERT INTO migrations (number, name, sha256, applied_at) VALUES (?, ?, ?, ?)",
        (migration.number, migration.name, migration.sha256, to_microseconds(clock())),
    )


def applied(connection: apsw.Connection) -> Sequence[Applied]:
    """The migrations the database remembers, in order; raises ``NotAStore`` for one of something else."""
    tables = {name for (name,) in fetch(connection, "SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return ()
    if "migrations" not in tables:
        raise NotAStore("the file is a database of something else")
    return [Applied(*row) for row in fetch(connection, "SELECT number, name, sha256 FROM migrations ORDER BY number")]


def _introduce(connection: apsw.Connection, randomness: Randomness) -> int:
    """Give a new store its identity; returns the epoch it has."""
    statement = "INSERT INTO meta (one, epoch, store_id) VALUES (1, 1, ?) ON CONFLICT DO NOTHING"
    if not fetch(connection, "SELECT 1 FROM meta"):
        fetch(connection, statement, (randomness(16),))
    ((epoch,),) = fetch(connection, "SELECT epoch FROM meta")
    return int(epoch)
