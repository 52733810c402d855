"""What the tests of keys share: a worker with the app ``acme``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import HandClock
from tests.keys.scene import Worker, a_worker


@pytest.fixture
def empty(state_dir: Path, clock: HandClock) -> Iterator[Worker]:
    """A worker over a new store, without apps."""
    with a_worker(state_dir, clock) as worker:
        yield worker


@pytest.fixture
def worker(empty: Worker) -> Worker:
    """A worker with an app that signs by ES256."""
    empty.new_app()
    return empty
