"""The files: for their owner alone, and never somebody else's."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from authsvc.storage.errors import NotAStore
from tests.storage.places import SettableClock, SqlitePlace
from tests.storage.records import keep_app


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The process's umask, from everything to nothing allowed."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    """The permission bits."""
    return path.stat().st_mode & 0o777


def test_files_are_for_their_owner_alone(place: SqlitePlace, clock: SettableClock, umask: int) -> None:
    """Database, log, shared memory, lock and epoch are 0600 and the directories made are 0700, whatever the umask."""
    from authsvc.storage import open_store

    place.path = place.path.parent / "inner" / "authsvc.db"
    store = open_store(place.url, clock=clock)
    keep_app(store)
    names = {path.name: mode(path) for path in place.path.parent.iterdir()}
    store.close()
    expected = ["authsvc.db", "authsvc.db-shm", "authsvc.db-wal", "authsvc.db.epoch", "authsvc.db.lock"]
    assert names == dict.fromkeys(expected, 0o600)
    assert [mode(place.path.parent), mode(place.path.parent.parent)] == [0o700, 0o700]


def test_a_directory_that_was_there_keeps_its_mode(place: SqlitePlace, clock: SettableClock) -> None:
    """Only directories that are made are given a mode."""
    place.path.parent.mkdir(0o755)
    place.open(clock=clock)
    assert mode(place.path.parent) == 0o755


def test_others_are_shut_out_of_files_that_were_there(place: SqlitePlace, clock: SettableClock) -> None:
    """A database that others could read is not readable to them once it was opened."""
    place.open(clock=clock).close()
    place.path.chmod(0o644)
    place.open(clock=clock)
    assert mode(place.path) == 0o600


def test_a_directory_is_no_store(place: SqlitePlace, clock: SettableClock) -> None:
    """A path that is a directory is refused and keeps its mode."""
    place.path.mkdir(0o755, parents=True)
    with pytest.raises(NotAStore, match="not a file"):
        place.open(clock=clock)
    assert mode(place.path) == 0o755


def test_a_text_is_no_store(place: SqlitePlace, clock: SettableClock) -> None:
    """A file that is no database is refused and keeps its content."""
    place.path.parent.mkdir()
    place.path.write_text("a letter to a friend" * 1000)
    with pytest.raises(NotAStore, match="not a database"):
        place.open(clock=clock)
    assert place.path.read_text() == "a letter to a friend" * 1000


def test_another_programs_database_is_no_store(place: SqlitePlace, clock: SettableClock) -> None:
    """A database of something else is refused and keeps its content."""
    place.path.parent.mkdir()
    with sqlite3.connect(place.path) as other:
        other.execute("CREATE TABLE apps (name TEXT)")
    other.close()
    before = place.path.read_bytes()
    with pytest.raises(NotAStore, match="something else"):
        place.open(clock=clock)
    assert place.path.read_bytes() == before
