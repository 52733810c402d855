"""What the tests of the trust view share: two workers on one store."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import HandClock
from tests.trust.workers import OpenWorker, Worker, opening


@pytest.fixture
def open_worker(state_dir: Path, clock: HandClock) -> Iterator[OpenWorker]:
    """Opens workers on one SQLite file."""
    with opening(state_dir, clock) as open_worker:
        yield open_worker


@pytest.fixture
def worker(open_worker: OpenWorker) -> Worker:
    """The worker whose view is looked at; the store has the app ``acme``."""
    worker = open_worker()
    worker.make_app()
    return worker


@pytest.fixture
def other(worker: Worker, open_worker: OpenWorker) -> Worker:
    """Another one, which changes what the first does not know yet."""
    del worker
    return open_worker()


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)
