"""What storage tests share: a clock that is set by hand, and a store in an empty place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from authsvc.storage.base import Store
from tests.storage.places import Place, PostgresPlace, SettableClock, SqlitePlace
from tests.storage.postgres.server import Server


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


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server for all tests; who stops it starts it again."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
def postgres_place(postgres_server: Server) -> Iterator[PostgresPlace]:
    """A database with the schema and nothing else."""
    with postgres_server.migrated() as name:
        place = PostgresPlace(name, postgres_server.url(name))
        yield place
        place.close()
