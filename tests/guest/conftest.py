"""The front ends' side of the service: the use case of ``GuestService`` over a real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import HandClock
from tests.guest.front_end import FrontEnd
from tests.tokens.service import Service, open_service


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose clock nobody moves and whose rows and lines nobody counts."""
    with open_service(tmp_path_factory.mktemp("lobby"), HandClock()) as service:
        yield service


@pytest.fixture
def lobby(shared: Service) -> FrontEnd:
    """Front ends of the shared service: each test makes an app of its own."""
    return FrontEnd(shared)


@pytest.fixture
def front(state_dir: Path, clock: HandClock) -> Iterator[FrontEnd]:
    """Front ends of a service of the test's own."""
    with open_service(state_dir, clock) as service:
        yield FrontEnd(service)
