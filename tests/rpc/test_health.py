"""Health: truthful, told to all who watch, and no way to hold the server."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import pairwise

import grpc
import pytest
from grpc_health.v1 import health_pb2

from authsvc.rpc.limits import Limits
from authsvc.rpc.server import POOL_THREADS
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer, StartServer
from tests.refusals import refusal_of
from tests.rpc.http2 import INITIAL_WINDOW_SIZE, Connection, connected
from tests.rpc.surface import HEALTH_CHECK, HEALTH_WATCH, VALIDATE, answered, completed, eventually

Response = health_pb2.HealthCheckResponse
SERVING, NOT_SERVING, SERVICE_UNKNOWN = Response.SERVING, Response.NOT_SERVING, Response.SERVICE_UNKNOWN
OK, UNAVAILABLE = 0, 14
BODY = pb.ValidateTokenRequest(api_key="dev", token="x").SerializeToString()


def check(server: RunningServer, service: str = "") -> int:
    """What a check without a credential is told."""
    encode, decode = health_pb2.HealthCheckRequest.SerializeToString, Response.FromString
    method = server.channel().unary_unary(HEALTH_CHECK, encode, decode)
    return int(method(health_pb2.HealthCheckRequest(service=service), timeout=30).status)


def watching(connection: Connection, count: int, service: str = "") -> list[int]:
    """Begin that many whole Watch calls."""
    streams = []
    for _ in range(count):
        streams.append(connection.call(HEALTH_WATCH))
        connection.send(streams[-1], health_pb2.HealthCheckRequest(service=service).SerializeToString())
    return streams


def told(connection: Connection, stream: int, messages: int) -> list[int]:
    """The statuses that a watcher was told, once there are that many."""
    return [Response.FromString(raw).status for raw in connection.received(stream, messages)]


@pytest.mark.parametrize(
    "service", ["", "authsvc.v1.AuthService", "authsvc.v1.GuestService", "authsvc.v1.AdminService"]
)
def test_a_check_tells_the_status_there_is(server: RunningServer, service: str) -> None:
    """The server and each of its services are SERVING or NOT_SERVING as was found last."""
    assert check(server, service) == SERVING
    server.rpc.health.set_serving(False)
    assert check(server, service) == NOT_SERVING
    server.rpc.health.set_serving(True)
    assert check(server, service) == SERVING


def test_a_server_is_not_serving_until_somebody_looked(start_server: StartServer) -> None:
    """Before the store was asked once the truthful answer is no."""
    server = start_server()
    assert server.rpc.health.serving, "the fixture has said so"
    fresh = type(server.rpc.health)(("one",), server.rpc.patience)
    assert not fresh.serving
    fresh.close()


@pytest.mark.parametrize("service", ["authsvc.v1.SecretService", "authsvc.v1.authservice", "authsvc.v1.AuthService "])
def test_a_check_of_a_service_that_is_not_here_is_not_found(server: RunningServer, service: str) -> None:
    """NOT_FOUND is what the health protocol asks for, with our reason."""
    refusal = refusal_of(lambda: check(server, service))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "SERVICE_UNKNOWN")


def test_a_watcher_is_told_each_change(server: RunningServer) -> None:
    """The status at once, then every change, and nothing in between."""
    with connected(server.target) as connection:
        (stream,) = watching(connection, 1)
        expected: list[int] = [SERVING]
        assert told(connection, stream, 1) == expected
        for status in (NOT_SERVING, SERVING, NOT_SERVING):
            server.rpc.health.set_serving(status == SERVING)
            server.rpc.health.set_serving(status == SERVING)
            expected.append(status)
            assert told(connection, stream, len(expected)) == expected


def test_a_watcher_of_an_unknown_service_waits(server: RunningServer) -> None:
    """SERVICE_UNKNOWN once, and the stream stays open, as the health protocol asks."""
    with connected(server.target) as connection:
        unknown, known = *watching(connection, 1, "nothing"), *watching(connection, 1)
        assert told(connection, unknown, 1) == [SERVICE_UNKNOWN]
        assert told(connection, known, 1) == [SERVING]
        server.rpc.health.set_serving(False)
        assert told(connection, known, 2) == [SERVING, NOT_SERVING]
        assert told(connection, unknown, 1) == [SERVICE_UNKNOWN]
        assert connection.ended() == []


def test_the_last_status_told_is_the_last_that_was_true(server: RunningServer) -> None:
    """However quickly the status changes, no watcher is left with an old one."""
    with connected(server.target) as connection:
        streams = watching(connection, 5)
        assert [told(connection, stream, 1) for stream in streams] == [[SERVING]] * 5
        for _ in range(50):
            server.rpc.health.set_serving(False)
            server.rpc.health.set_serving(True)
        server.rpc.health.shut_down()
        server.rpc.health.close()  # all that was to be sent has been
        connection.ended()
        for found in (told(connection, stream, 2) for stream in streams):
            assert found[-1] == NOT_SERVING
            assert all(one != other for one, other in pairwise(found)), "each was news"


def test_closing_twice_is_harmless(server: RunningServer) -> None:
    """Whether the watches that the first one ended are gone already or not."""
    with connected(server.target) as connection:
        streams = watching(connection, 5)
        assert [told(connection, stream, 1) for stream in streams] == [[SERVING]] * 5
        for _ in range(3):
            server.rpc.health.close()


def test_after_the_shutdown_began_nothing_makes_it_serving_again(server: RunningServer) -> None:
    """A look at the store that comes late does not call callers back."""
    server.rpc.health.shut_down()
    server.rpc.health.set_serving(True)
    assert check(server) == NOT_SERVING


def test_300_watchers_hold_no_thread(server: RunningServer) -> None:
    """More watchers than the pool has threads are told a change, and whole calls are served beside them."""
    assert POOL_THREADS < 300
    connections = [Connection(server.target) for _ in range(3)]
    try:
        streams = []
        for connection in connections * 20:
            few = watching(connection, 5)  # not in one burst: together they are callers nobody knows
            assert [told(connection, stream, 1) for stream in few] == [[SERVING]] * 5
            streams += [(connection, stream) for stream in few]
        with connected(server.target) as good:
            assert answered(good, VALIDATE, server.metadata, BODY).status == OK
        server.rpc.health.set_serving(False)
        assert [told(connection, stream, 2) for connection, stream in streams] == [[SERVING, NOT_SERVING]] * 300
    finally:
        for connection in connections:
            connection.close()


def test_watchers_that_take_nothing_hold_no_thread(start_server: StartServer) -> None:
    """Watchers with a closed window delay neither whole calls nor a change of status, and are let go."""
    server = start_server(limits=Limits(send_seconds=0.05))
    closed = [Connection(server.target, {INITIAL_WINDOW_SIZE: 0}) for _ in range(2)]
    try:
        for connection in closed:
            watching(connection, 100)
        with connected(server.target) as good:
            for _ in range(20):
                assert answered(good, VALIDATE, server.metadata, BODY).status == OK
                assert answered(good, HEALTH_CHECK).status == OK
            server.rpc.health.set_serving(False)
            assert check(server) == NOT_SERVING
        for connection in closed:
            assert len(connection.ended(100)) == 100
    finally:
        for connection in closed:
            connection.close()


def test_a_watcher_that_stops_reading_is_let_go_and_others_are_told(start_server: StartServer) -> None:
    """A window for one answer only: the next one ends that watcher, not the news of the others."""
    server = start_server(limits=Limits(send_seconds=0.2))
    with connected(server.target, {INITIAL_WINDOW_SIZE: 7}) as stingy, connected(server.target) as honest:
        (poor,), (rich,) = watching(stingy, 1), watching(honest, 1)
        assert told(stingy, poor, 1) == told(honest, rich, 1) == [SERVING]
        server.rpc.health.set_serving(False)
        assert told(honest, rich, 2) == [SERVING, NOT_SERVING]
        assert len(stingy.ended(1)) == 1
        assert honest.ended() == []


def test_watchers_of_callers_nobody_knows_have_a_budget(start_server: StartServer) -> None:
    """Beyond it a Watch is refused with OVERLOADED; who leaves makes room."""
    server = start_server(limits=Limits(streams_open=3))
    with connected(server.target) as connection:
        first, *_ = watching(connection, 3)
        (fourth,) = watching(connection, 1)
        assert connection.answer(fourth).reason == "OVERLOADED"
        connection.cancel(first)
        eventually(lambda: completed(server), lambda lines: lines[-1]["code"] == "CANCELLED")
        (fifth,) = watching(connection, 1)
        assert told(connection, fifth, 1) == [SERVING]


def test_health_answers_while_everything_else_is_refused(start_server: StartServer) -> None:
    """In an overload and in a drain health keeps places of its own, so both can be seen."""
    server = start_server(limits=Limits(in_flight=1, body_seconds=60))
    with connected(server.target) as connection:
        connection.call(VALIDATE, server.metadata)
        assert answered(connection, VALIDATE, server.metadata, BODY).reason == "OVERLOADED"
        assert answered(connection, HEALTH_CHECK).status == OK


def test_watches_do_not_delay_the_end_of_the_server(server: RunningServer) -> None:
    """They never end by themselves: a server that stops ends them, with the reason to ask another one."""
    with connected(server.target) as connection:
        streams = watching(connection, 5)
        assert [told(connection, stream, 1) for stream in streams] == [[SERVING]] * 5
        patient = {"lame_duck": timedelta(0), "grace": timedelta(hours=1)}
        stopping = threading.Thread(target=server.rpc.stop, kwargs=patient)
        stopping.start()
        answers = [connection.answer(stream) for stream in streams]
    stopping.join(30)
    assert not stopping.is_alive()
    assert {(answer.status, answer.reason) for answer in answers} == {(UNAVAILABLE, "DRAINING")}
    assert {(line["code"], line["reason"]) for line in completed(server)} == {("UNAVAILABLE", "DRAINING")}


def test_no_thread_of_a_watch_is_left(start_server: StartServer) -> None:
    """A server that ended has ended all its threads, the sending ones too."""
    before = set(threading.enumerate())
    server = start_server()
    with connected(server.target) as connection:
        (stream,) = watching(connection, 1)
        assert told(connection, stream, 1) == [SERVING]
        assert any(thread.name.startswith("authsvc-health") for thread in threading.enumerate())
        server.rpc.stop(lame_duck=timedelta(0), grace=timedelta(0))
    left = set(threading.enumerate()) - before
    serving = ("authsvc-rpc", "authsvc-refusal", "authsvc-health", "authsvc-patience")
    assert [thread.name for thread in left if thread.name.startswith(serving)] == []
