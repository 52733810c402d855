"""Backups: a whole and consistent copy of a database that is in use, in one file that is there when it is whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import apsw

from authsvc.storage.errors import DamagedStore, NotAStore
from authsvc.storage.migrate import missing, shipped
from authsvc.storage.rows.restoring import BackedUp, Known
from authsvc.storage.sqlite.connection import Database, fetch
from authsvc.storage.sqlite.files import open_private, sync_directory, sync_file
from authsvc.storage.sqlite.schema import applied
from authsvc.storage.sqlite.seat import COPY, seat_of


def back_up_to(source: apsw.Connection, target: Path) -> BackedUp:
    """Copy what is committed now into a new file of mode 0600; others write on meanwhile.

    Raises ``FileExistsError``, ``DamagedStore``, ``OSError`` and any of ``ENGINE_FAULTS``; then there is no such file.
    """
    if target.exists():
        raise FileExistsError(0, "is there already: name a new file", str(target))
    if not target.parent.is_dir():
        raise FileNotFoundError(0, "there is no such folder: make it first", str(target.parent))
    with _draft_of(target) as draft:
        known = _copy(source, draft)
        sync_file(draft)
        os.link(draft, target)  # at once, and never in the place of another
    sync_directory(target.parent)
    return BackedUp(target.stat().st_size, known)


@contextlib.contextmanager
def opened(database: Database, name: Path) -> Iterator[apsw.Connection]:
    """A connection to a database that is a store and whole; refusals call it ``name``.

    Raises ``NotAStore``, ``DamagedStore``, ``SchemaTooNew`` and ``MigrationChanged``.
    """
    with _read_as(name), contextlib.closing(database.connect()) as connection:
        check_whole(connection, name)
        yield connection


def check_whole(connection: apsw.Connection, name: Path) -> None:
    """Raise as ``opened`` for a database that is none of ours, of a newer program, or not whole."""
    with _read_as(name):
        before = applied(connection)
        if not before:
            raise NotAStore(f"{name} holds no store")
        missing(shipped("sqlite"), before)
        if fetch(connection, "PRAGMA integrity_check(1)") + fetch(connection, "PRAGMA foreign_key_check") != [("ok",)]:
            raise _damaged(name)


@contextlib.contextmanager
def _read_as(name: Path) -> Iterator[None]:
    try:
        yield
    except apsw.NotADBError:
        raise NotAStore(f"{name} is not a database") from None
    except apsw.SQLError:  # it has a table of that name, but not ours
        raise NotAStore(f"{name} is a database of something else") from None
    except apsw.CorruptError:
        raise _damaged(name) from None


def _damaged(name: Path) -> DamagedStore:
    return DamagedStore(f"{name} is damaged: not all of it can be read")


def _copy(source: apsw.Connection, draft: Path) -> Known:
    target = apsw.Connection(str(draft), flags=apsw.SQLITE_OPEN_READWRITE)
    with contextlib.closing(target):
        with target.backup("main", source, "main") as backup:
            backup.step(-1)  # in one step, so of one instant: it is not begun again when others write
        fetch(target, "PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
        fetch(target, f"PRAGMA user_version = {COPY}")
        check_whole(target, draft)
        return seat_of(target).known


@contextlib.contextmanager
def _draft_of(target: Path) -> Iterator[Path]:
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    os.close(open_private(draft, os.O_RDWR | os.O_EXCL))
    try:
        yield draft
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)
