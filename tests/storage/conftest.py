"""What storage tests share: a clock that is set by hand, and a store in an empty place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from authsvc.storage.base import Store
from tests.storage.places import Place, SettableClock, SqlitePlace


@pytest.fixture
def clock() -> SettableClock:
    """A clock that stands still until it is told otherwise."""
    return SettableClock()


@pytest.fixture
def store(place: Place, clock: SettableClock) -> Store:
    """An open store in an empty place, on that clock."""
    return place.open(clock=clock)


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Iterator[SqlitePlace]:
    """A file that is not there yet."""
    place = SqlitePlace(tmp_path)
    yield place
    place.close()
