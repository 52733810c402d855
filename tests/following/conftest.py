"""What the tests of several processes share: two servers on each kind of store, started once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.following.pair import Pair, serving
from tests.storage.postgres.server import Server


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server of these tests' own: they stop it."""
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Two servers on one store."""
    with ExitStack() as lifetimes:
        state_dir = Path(lifetimes.enter_context(tempfile.TemporaryDirectory(prefix="authsvc-test-")))
        store = f"sqlite:///{state_dir / 'shared.db'}"
        if request.param == "postgres":
            postgres: Server = request.getfixturevalue("postgres")
            store = postgres.url(lifetimes.enter_context(postgres.migrated()))
        yield lifetimes.enter_context(serving(state_dir, store))
