"""What the races share: a clock that never shows one moment twice, and a caller with several connections."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from tests.conftest import HandClock, RunningServer
from tests.races.wire import Wire, connected

TICK = timedelta(microseconds=1)


class TickingClock(HandClock):
    """Goes on by a microsecond each time it is looked at: no two calls see the same moment."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            self._now += TICK
            return self._now


@pytest.fixture
def clock() -> HandClock:
    """A clock that ticks."""
    return TickingClock()


@pytest.fixture
def wire(server: RunningServer) -> Iterator[Wire]:
    """A caller of the server."""
    with connected(server.target, server.credential) as caller:
        yield caller
