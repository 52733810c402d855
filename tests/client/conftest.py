"""Clients of the real service and of one that answers as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from authsvc.client import AuthClient, Retries
from tests.client.halves import HALVES, Do, Half
from tests.client.kinds import KINDS, Kind
from tests.client.scripted import ScriptedServer, scripted_server
from tests.conftest import RunningServer

CREDENTIAL = "ask1_canary-credential"


@pytest.fixture
def client(server: RunningServer) -> Iterator[AuthClient]:
    """A client of the running service that may do everything."""
    with AuthClient(server.target, server.credential) as connected:
        yield connected


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    """A server that answers as it is told."""
    with scripted_server() as running:
        yield running


@pytest.fixture
def pauses() -> list[float]:
    """The pauses, in seconds, that a patient client would have made."""
    return []


@pytest.fixture(params=HALVES)
def half(request: pytest.FixtureRequest) -> Half:
    """Opens a client: a test that uses it is made for callers that wait and again for callers that await."""
    return HALVES[request.param]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """A kind of clients: a test that uses it is made for callers that wait and again for callers that await."""
    return KINDS[request.param]


@pytest.fixture
def do(half: Half, server: RunningServer) -> Iterator[Do]:
    """Makes calls to the running service, and may make all."""
    with half(server.target, server.credential) as calls:
        yield calls


@pytest.fixture
def patient(half: Half, scripted: ScriptedServer, pauses: list[float]) -> Iterator[Do]:
    """Makes calls to the scripted server, and writes its pauses down instead of making them."""
    retries = Retries(limit=3, first=timedelta(milliseconds=100))
    with half(scripted.target, CREDENTIAL, retries=retries, pauses=pauses) as calls:
        yield calls
