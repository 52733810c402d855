"""Calls between their metadata and their thread: what the library is told of them, and what it must never be told."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from grpc import _server

from authsvc.app.composition import Domain
from authsvc.clock import system_randomness
from authsvc.errors import AuthError
from authsvc.rpc.arrivals import Arrivals
from authsvc.rpc.call import Call
from authsvc.rpc.limits import Limits
from authsvc.rpc.patience import Patience
from authsvc.rpc.server import RpcServer
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer, StartServer
from tests.rpc.http2 import connected
from tests.rpc.surface import VALIDATE, answered, auth_of, completed, eventually, surface_of

LATE = 1.0
"""A deadline that has passed long ago."""

TOO_LARGE = b"\xf2\x3f\xff\xff\x03" + bytes(65_535)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """A thread for all that the calls of a test need."""
    with ThreadPoolExecutor(1) as threads:
        yield threads


def refused(call: Call) -> NoReturn:
    assert isinstance(call.refusal, AuthError)
    raise call.refusal


def test_a_refused_call_that_is_over_before_the_library_asks_is_counted_all_the_same(pool: ThreadPoolExecutor) -> None:
    """The library counts the calls there are and refuses all beyond a number: none may stay in its count for ever."""
    state: Any = _server._RPCState()  # type: ignore[no-untyped-call]
    state.client = _server._CANCELLED  # nobody is left to be told
    event = SimpleNamespace(call_details=SimpleNamespace(deadline=LATE), call=None)
    told: list[object] = []
    with closing(Patience(Limits())) as patience:
        arrivals = Arrivals(refused, None, patience, pool=pool, refusals=pool, together={})
        future = arrivals.submit(None, None, event, state, SimpleNamespace(call=Call("x", None, ())))
        pool.shutdown()
        future.add_done_callback(told.append)
    assert len(told) == 1


def breaks(call: Call) -> NoReturn:
    raise RuntimeError(call.name)


def forgetful(domain: Domain) -> RpcServer:
    """A server that breaks when it is to remember an answer."""
    auth: Any = auth_of(lambda *_: pb.ValidateTokenResponse(active=True))
    auth.remembered = {"ValidateToken": breaks}
    return RpcServer(surface_of(domain, auth), domain.logs, system_randomness, Limits(), domain.metrics)


def test_what_breaks_on_the_serving_thread_does_not_end_it(start_server: StartServer) -> None:
    """That thread is everybody's: the call goes the whole way, and so do those after it."""
    server = start_server(build=forgetful)
    auth = server.auth()
    for _ in range(3):
        assert auth.ValidateToken(pb.ValidateTokenRequest(), metadata=server.metadata, timeout=10).active


def test_nothing_is_remembered_of_what_is_too_large(start_server: StartServer) -> None:
    """Bytes that will be refused are not looked at on everybody's thread."""
    asked: list[int] = []

    def note(call: Call) -> None:
        asked.append(len(call.body or b""))

    def build(domain: Domain) -> RpcServer:
        auth: Any = auth_of(lambda *_: pb.ValidateTokenResponse(active=True))
        auth.remembered = {"ValidateToken": note}
        return RpcServer(surface_of(domain, auth), domain.logs, system_randomness, Limits(), domain.metrics)

    server = start_server(build=build)
    with connected(server.target) as connection:
        assert answered(connection, VALIDATE, server.metadata, TOO_LARGE).reason == "REQUEST_TOO_LARGE"
        assert answered(connection, VALIDATE, server.metadata, b"").status == 0
    assert asked == [0]


@pytest.mark.parametrize("body", [None, b"", pb.ValidateTokenRequest(api_key="dev", token="x").SerializeToString()])
def test_calls_that_are_taken_back_at_once_leave_nothing(server: RunningServer, body: bytes | None) -> None:
    """However far they came: no place, no wait and no count of the library's is kept, and each has its one line."""
    library = server.rpc._server._state  # type: ignore[attr-defined]
    taken, count = server.domain.metrics.in_flight, 300
    with connected(server.target) as connection:
        for _ in range(count):
            stream = connection.call(VALIDATE, server.metadata)
            if body is not None:
                connection.send(stream, body)
            connection.cancel(stream)
    with connected(server.target) as connection:
        assert answered(connection, VALIDATE, server.metadata).status is not None
    assert eventually(lambda: (taken(), library.active_rpc_count, len(library.rpc_states)), (0, 0, 0).__eq__) == (
        0,
        0,
        0,
    )
    lines = [line for line in completed(server) if line["method"] == VALIDATE]
    assert 1 < len(lines) <= count + 1, "the library may have refused some"
    assert len({line["trace_id"] for line in lines}) == len(lines)
