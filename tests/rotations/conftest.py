"""What the tests of rotations share: a filled store on each backend, and commands on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from authsvc.signing.sealing import Kek
from tests.cli.conftest import Ended, run_command
from tests.rotations.scene import Place, places
from tests.storage.postgres.server import Server as PostgresServer

Command = Callable[..., Ended]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of these tests' own."""
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A store on each backend, sealed under the old KEK."""
    server = None if request.param == "sqlite" else request.getfixturevalue("postgres")
    with places(request.param, tmp_path, server) as place:
        yield place


@pytest.fixture
def command(place: Place) -> Command:
    """Run a command on the store, with a KEK as the one in use."""

    def run(*words: str, kek: Kek, **environ: str) -> Ended:
        return run_command(*words, environ={**place.environ(kek), **environ})

    return run
