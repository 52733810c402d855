"""Which store has its place here: kept in a file beside the database, so that another put in its place is noticed.

Beside the name and the epoch of the store it holds a revision that the store had reached when it was last opened or
closed. A database of another store or epoch, one that has not come that far, a copy that a backup made, and one whose
file beside is missing are refused: what was revoked since such a copy was made would be good again.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from authsvc.storage.errors import NotTheStore
from authsvc.storage.rows.restoring import Known
from authsvc.storage.sqlite.connection import fetch
from authsvc.storage.sqlite.files import open_private, sync_directory

SEATED: Final = 1
"""The database's ``user_version`` once a file was put beside it."""
COPY: Final = 2
"""That of a backup."""

_TEXT: Final = re.compile(r"authsvc store ([0-9a-f]{32}) epoch (\d{1,5}) revision (\d{1,19})\n", re.ASCII)
_REMEDY: Final = "To take it, run `authsvc restore`; to take a backup, `authsvc restore FILE`: either ends all sessions"


@dataclass(frozen=True, slots=True)
class Seat:
    """A store by name (32 hex digits), its epoch, and a revision that it had reached."""

    store_id: str
    epoch: int
    revision: int

    @property
    def known(self) -> Known:
        """Its numbers."""
        return Known(self.epoch, self.revision)


def read_seat(database: Path) -> Seat | None:
    """What the file beside says; None where there is none. Raises ``NotTheStore`` where it says nothing of ours."""
    try:
        text = _beside(database).read_text("ascii", "replace")
    except FileNotFoundError:
        return None
    found = _TEXT.fullmatch(text)
    if found is None:
        raise NotTheStore(f"{_beside(database)} is damaged. {_REMEDY}")
    return Seat(found[1], int(found[2]), int(found[3]))


def write_seat(database: Path, seat: Seat) -> None:
    """Put the file beside the database, whole or not at all, and on the disk when this returns."""
    path = _beside(database)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(open_private(draft, os.O_WRONLY | os.O_TRUNC), "w") as file:
        file.write(f"authsvc store {seat.store_id} epoch {seat.epoch} revision {seat.revision}\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_directory(path.parent)


def seat_of(connection: apsw.Connection) -> Seat:
    """What the file beside this database should say."""
    ((store_id, epoch),) = fetch(connection, "SELECT store_id, epoch FROM meta")
    ((revision,),) = fetch(connection, "SELECT revision FROM feed_head")
    return Seat(store_id.hex(), epoch, revision)


def refuse_empty(connection: apsw.Connection, database: Path) -> None:
    """Refuse to begin a new store where one has its place."""
    if read_seat(database) is not None and not fetch(connection, "SELECT 1 FROM sqlite_schema LIMIT 1"):
        raise NotTheStore(
            f"{database} is empty, and {_beside(database).name} says that a store had its place here. Run `authsvc "
            "restore FILE` with a backup; to begin anew, remove that file too"
        )


def take_seat(connection: apsw.Connection, database: Path) -> None:
    """Refuse a database that is not the one whose place this is, and note how far this one has come.

    Raises ``NotTheStore`` before anything is changed.
    """
    before = read_seat(database)  # first: others that use this database may be moving both on
    ((mark,),) = fetch(connection, "PRAGMA user_version")
    here = seat_of(connection)
    fault = _fault(before, mark, here)
    if fault:
        raise NotTheStore(f"{database} is not the store that has its place here: {fault}. {_REMEDY}")
    if before != here:
        write_seat(database, here)
    if mark != SEATED:
        fetch(connection, f"PRAGMA user_version = {SEATED}")


def note_seat(connection: apsw.Connection, database: Path) -> None:
    """Note how far the store has come, for those who open it next."""
    before, here = read_seat(database), seat_of(connection)
    if before is None or before.revision < here.revision:
        write_seat(database, here)


def _fault(before: Seat | None, mark: int, here: Seat) -> str:
    if mark == COPY:
        return "it is a backup"
    if before is None:
        return "it was moved here without the file with .epoch at its end" if mark == SEATED else ""
    if before.store_id != here.store_id:
        return "it is another store"
    if before.epoch != here.epoch:
        return f"it is of epoch {here.epoch}, and the place of epoch {before.epoch}"
    if here.revision < before.revision:
        return f"it is an older copy, at revision {here.revision} and not {before.revision}"
    return ""


def _beside(database: Path) -> Path:
    return database.with_name(database.name + ".epoch")
