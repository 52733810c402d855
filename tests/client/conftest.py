"""Clients of the real service and of one that answers as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from authsvc.client import AuthClient, Retries
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


@pytest.fixture
def patient(scripted: ScriptedServer, pauses: list[float]) -> Iterator[AuthClient]:
    """A client of the scripted server that writes its pauses down instead of making them."""
    retries = Retries(limit=3, first=timedelta(milliseconds=100), pause=pauses.append)
    with AuthClient(scripted.target, CREDENTIAL, retries=retries) as connected:
        yield connected
