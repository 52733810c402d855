"""The front ends' side of the service: the use case of ``GuestService`` over a real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import HandClock
from tests.guest.front_end import FrontEnd
from tests.tokens.service import open_service


@pytest.fixture
def front(state_dir: Path, clock: HandClock) -> Iterator[FrontEnd]:
    """Front ends of a service of the test's own."""
    with open_service(state_dir, clock) as service:
        yield FrontEnd(service)
