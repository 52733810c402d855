"""A peer whose streams may say nothing, and verifiers of both kinds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client.tokens.made import Machine
from tests.client.verifier.peer import HOLDS, Hold, Peer, running_peer


@pytest.fixture
def machine() -> Machine:
    """The clocks of verifier and peer, moved by hand."""
    return Machine()


@pytest.fixture
def peer(machine: Machine) -> Iterator[Peer]:
    """A real gRPC peer that says what a test says."""
    with running_peer(machine) as running:
        yield running


@pytest.fixture(params=HOLDS)
def hold(request: pytest.FixtureRequest) -> Hold:
    """Makes a verifier: each test is made with one for threads and again with one for tasks."""
    return HOLDS[request.param]
