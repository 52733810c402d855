"""The service that calls are made to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client.attaching.calling import NEW
from tests.client.attaching.peer import Peer, running_peer


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A service that takes the new token."""
    with running_peer() as running:
        running.accepted = {NEW}
        yield running
