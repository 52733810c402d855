"""Calls of many threads at once: no more in flight than a connection carries."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Semaphore

import pytest

from authsvc.client import AuthClient, DeadlineExceeded
from authsvc.client.calls import Calls
from authsvc.client.guest import GuestCalls
from authsvc.client.retries import NO_RETRIES
from authsvc.v1 import auth_pb2, guest_pb2
from tests.client.conftest import CREDENTIAL
from tests.client.scripted import ScriptedServer
from tests.conftest import RunningServer

ASK = guest_pb2.IssueAnonymousTokenRequest()


def test_many_threads_share_a_client(server: RunningServer) -> None:
    """Two hundred threads, more than the service takes streams on a connection, make calls, and none is refused."""
    ask = auth_pb2.ValidateTokenRequest(api_key="dev", token="x")
    long = timedelta(seconds=30)
    with (
        AuthClient(server.target, server.credential, timeout=long, retries=NO_RETRIES) as client,
        ThreadPoolExecutor(200) as pool,
    ):
        answers = list(pool.map(lambda _: client.validate_token(ask).status, range(1_000)))
    assert answers == [auth_pb2.TOKEN_STATUS_MALFORMED] * 1_000


def test_a_call_waits_for_its_turn_no_longer_than_it_may(scripted: ScriptedServer) -> None:
    """Where no call in flight ends in time the caller is told so, and the service is not asked."""
    with AuthClient(scripted.target, CREDENTIAL) as client:
        places = Semaphore(0)
        calls = GuestCalls(Calls(client._calls._lines, client._calls._rules, time.sleep, places))
        with pytest.raises(DeadlineExceeded, match="none ended in time"):
            calls.issue_anonymous_token(ASK, timeout=timedelta(milliseconds=50))
        assert scripted.requests == []
        places.release()
        calls.issue_anonymous_token(ASK)
        calls.issue_anonymous_token(ASK)
    assert len(scripted.requests) == 2, "a turn that ended is another's"


def test_calls_without_a_credential_take_turns_with_the_others(scripted: ScriptedServer) -> None:
    """They are on the same connection, so they count together."""
    with AuthClient(scripted.target, CREDENTIAL) as client:
        assert client.guests._calls._places is client._calls._places is client.admin._calls._places
