"""What the tests of backups share: a server process on each kind of store, and its copies."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.restoring.scene import PostgresScene, Scene, SqliteScene
from tests.storage.places import SettableClock, SqlitePlace
from tests.storage.postgres.server import Server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server of these tests' own."""
    server = Server()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgres"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    """A server that runs, on each kind of store."""
    with tempfile.TemporaryDirectory(prefix="authsvc-test-") as folder:
        if request.param == "sqlite":
            yield from _running(SqliteScene(Path(folder)))
            return
        postgres: Server = request.getfixturevalue("postgres")
        with postgres.migrated() as name:
            yield from _running(PostgresScene(Path(folder), postgres, name))


def _running(scene: Scene) -> Iterator[Scene]:
    scene.start()
    yield scene
    scene.process.kill()


@pytest.fixture
def clock() -> SettableClock:
    """A clock that stands still until it is told otherwise."""
    return SettableClock()


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Iterator[SqlitePlace]:
    """A file that is not there yet."""
    place = SqlitePlace(tmp_path)
    yield place
    place.close()
