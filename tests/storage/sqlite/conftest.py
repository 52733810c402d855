"""What the tests of the embedded backend share: its file, and a disk that can be made to fail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from authsvc.storage.sqlite.connection import Database
from tests.storage.places import SettableClock, SqlitePlace
from tests.storage.sqlite.disk import Disk


@pytest.fixture
def place(sqlite_place: SqlitePlace) -> SqlitePlace:
    """The backend under test."""
    return sqlite_place


@pytest.fixture
def disk() -> Iterator[Disk]:
    """A disk that works until it is told otherwise."""
    disk = Disk()
    yield disk
    disk.unregister()


@pytest.fixture
def database(place: SqlitePlace, clock: SettableClock, disk: Disk) -> Database:
    """A migrated database on that disk."""
    place.open(clock=clock).close()
    return Database(place.path, timedelta(seconds=5), disk.name)
