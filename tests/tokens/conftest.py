"""One service for the rules that keep nothing, and a new one for each test that moves the clock or changes rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import HandClock
from tests.tokens.service import Service, open_service


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service shared by all tests of rules: each makes an app of its own, and nobody moves the clock."""
    with open_service(tmp_path_factory.mktemp("desk"), HandClock()) as service:
        yield service


@pytest.fixture
def service(state_dir: Path, clock: HandClock) -> Iterator[Service]:
    """A service of the test's own."""
    with open_service(state_dir, clock) as service:
        yield service
