"""A call that has ended lets go of its stream by itself: the collector, which seldom comes, is not needed for that."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from authsvc.accounts.credentials import new_account_id, new_credential
from authsvc.clock import system_randomness
from authsvc.v1 import auth_pb2
from tests.conftest import RunningServer
from tests.rpc.surface import Metadata, bearer

STREAMS = 128  # that a connection may have at once
CALLS = 2 * STREAMS + 10

Ask = Callable[[RunningServer], tuple[auth_pb2.IssueTokenRequest, Metadata]]


def token_for(server: RunningServer, user: str, **fields: Any) -> tuple[auth_pb2.IssueTokenRequest, Metadata]:
    request = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id=user), **fields)
    return request, server.metadata


ASKED: dict[str, Ask] = {
    "OK": lambda server: token_for(server, "sara"),
    "INVALID_REQUEST": lambda server: token_for(server, "!!"),
    "STALE": lambda server: token_for(server, "sara", after_revision=2**40),
    "CREDENTIAL_MISSING": lambda server: (token_for(server, "sara")[0], ()),
    "CREDENTIAL_INVALID": lambda server: (
        token_for(server, "sara")[0],
        bearer(new_credential(new_account_id(system_randomness), system_randomness).text),
    ),
}


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    """Nothing is let go of but by its last user."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("outcome", ASKED)
def test_a_connection_serves_more_calls_than_it_has_streams(server: RunningServer, outcome: str) -> None:
    """However many calls end in the same way on one connection, the next one is served."""
    auth, outcomes = server.auth(), set()
    for _ in range(CALLS):
        request, metadata = ASKED[outcome](server)
        try:
            auth.IssueToken(request, metadata=metadata, timeout=10)
            outcomes.add("OK")
        except grpc.RpcError as refused:
            outcomes.add((refused.details() or "").partition(":")[0])
    assert outcomes == {outcome}
