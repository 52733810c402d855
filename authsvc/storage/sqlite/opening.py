"""From a path to a store: files, lock, schema, connections, in this order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import apsw

from authsvc.clock import Clock, Randomness
from authsvc.storage.batches import BatchObserver, Unobserved
from authsvc.storage.errors import NotAStore, StoreInUse
from authsvc.storage.migrate import Migration, shipped
from authsvc.storage.rows.restoring import BackedUp, Check, Progress, Restored
from authsvc.storage.sqlite.connection import Database, fetch
from authsvc.storage.sqlite.copying import back_up_to
from authsvc.storage.sqlite.faults import ENGINE_FAULTS, unavailable
from authsvc.storage.sqlite.files import make_directory, prepare
from authsvc.storage.sqlite.lock import Lock
from authsvc.storage.sqlite.restoring import Restoration
from authsvc.storage.sqlite.schema import bring_up, due, is_of_old, refuse_old
from authsvc.storage.sqlite.seat import refuse_empty, take_seat
from authsvc.storage.sqlite.store import SqliteStore

BACKEND: Final = "sqlite"

BUSY_TIMEOUT: Final = timedelta(seconds=2)
"""How long to wait for another process's lock: less than a call's usual deadline, so that the caller hears why."""


def open_sqlite(
    path: Path,
    *,
    clock: Clock,
    randomness: Randomness,
    exclusive: bool,
    forgets_by: Clock | None = None,
    migrate: bool = False,
    observer: BatchObserver | None = None,
    busy_timeout: timedelta = BUSY_TIMEOUT,
    vfs: str | None = None,
) -> SqliteStore:
    """Open the database at ``path``, making it where there is none; with ``migrate`` bring an older one to this schema.

    Without it an older one is refused, and it is migrated only while nobody else has it open: whoever serves it would
    find its tables changed underneath.

    ``exclusive``: refuse (``StoreInUse``) while anybody else has it open, and keep all others out; otherwise any number
    may, in this process and in others, but for one that wants it alone. ``forgets_by`` as ``open_store`` has it;
    ``vfs`` names a file system registered with SQLite. Raises ``StoreRefused``, ``Unavailable``, and ``OSError`` where
    the files cannot be made.
    """
    database = Database(path.absolute(), busy_timeout, vfs)
    prepare(database.path)
    if migrate and is_of_old(find_missing(path), shipped(BACKEND)):
        apply_missing(path, clock=clock, randomness=randomness)
    with contextlib.ExitStack() as undo:
        lock = undo.enter_context(contextlib.closing(Lock(database.path, alone=exclusive)))
        epoch = _bring_up(database, clock, randomness, seated=True)
        store = SqliteStore(
            database,
            clock=clock,
            forgets_by=forgets_by or clock,
            epoch=epoch,
            lock=lock,
            observer=observer or Unobserved(),
        )
        undo.pop_all()
    return store


def find_missing(path: Path) -> tuple[Migration, ...]:
    """The migrations the database at ``path`` still needs; makes and changes nothing. Raises as ``open_sqlite``."""
    if not path.exists():
        return shipped(BACKEND)
    with _connected(Database(path.absolute(), BUSY_TIMEOUT)) as connection:
        return due(connection, shipped(BACKEND))


def apply_missing(path: Path, *, clock: Clock, randomness: Randomness) -> tuple[Migration, ...]:
    """Apply them while nobody serves the database; returns those that were missing. Raises as ``open_sqlite``."""
    database = Database(path.absolute(), BUSY_TIMEOUT)
    prepare(database.path)
    with contextlib.closing(Lock(database.path, alone=True)):
        missing = find_missing(path)
        _bring_up(database, clock, randomness)
    return missing


def scrub(path: Path) -> None:
    """Write the database anew, so that its files hold nothing of rows that are no more; nobody else may have it open.

    Raises as ``open_sqlite``.
    """
    database = Database(path.absolute(), BUSY_TIMEOUT)
    with contextlib.closing(Lock(database.path, alone=True)), _connected(database) as connection:
        fetch(connection, "VACUUM")
        ((held_up, *_),) = fetch(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
    if held_up:  # told by its answer, not as a fault
        raise StoreInUse(
            f"{database.path} is being read by another program, so what was replaced is still in it: end that program "
            "and run the same command again"
        )


def back_up(path: Path, target: Path) -> BackedUp:
    """Copy the database at ``path``, which others may have open, into a new file. Raises as ``open_sqlite``."""
    database = _existing(path)
    with contextlib.closing(Lock(database.path, alone=False)), _connected(database) as connection:
        return back_up_to(connection, target)


def restore(
    path: Path, copy: Path | None, *, check: Check, clock: Clock, randomness: Randomness, progress: Progress
) -> Restored:
    """Make ``copy`` the database at ``path``, or take what is there (None). Raises as ``open_sqlite``."""
    database = Database(path.absolute(), BUSY_TIMEOUT) if copy is not None else _existing(path)
    make_directory(database.path.parent)
    with contextlib.closing(Lock(database.path, alone=True)), _told():
        restoration = Restoration(database, check=check, clock=clock, randomness=randomness, progress=progress)
        return restoration.of_what_is_here() if copy is None else restoration.of(copy)


def _existing(path: Path) -> Database:
    if not path.exists():
        raise NotAStore(f"there is no database at {path}")
    return Database(path.absolute(), BUSY_TIMEOUT)


def _bring_up(database: Database, clock: Clock, randomness: Randomness, *, seated: bool = False) -> int:
    with _connected(database) as connection:
        if seated:
            refuse_empty(connection, database.path)
            refuse_old(connection, shipped(BACKEND))
        epoch = bring_up(connection, shipped(BACKEND), clock=clock, randomness=randomness)
        if seated:
            take_seat(connection, database.path)
        return epoch


@contextlib.contextmanager
def _connected(database: Database) -> Iterator[apsw.Connection]:
    try:
        with _told(), contextlib.closing(database.connect()) as connection:
            yield connection
    except apsw.NotADBError:
        raise NotAStore(f"{database.path} is not a database") from None


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Faults of the engine as refusals, but for a file that is no database: its name is known to who opened it."""
    try:
        yield
    except apsw.NotADBError:
        raise
    except ENGINE_FAULTS as fault:
        raise unavailable(fault) from fault
