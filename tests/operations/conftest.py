"""What the tests of operations share: the use cases of tokens, to have something to operate on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import HandClock
from tests.tokens.service import Service, open_service


@pytest.fixture
def service(state_dir: Path, clock: HandClock) -> Iterator[Service]:
    """A service of the test's own."""
    with open_service(state_dir, clock) as service:
        yield service
