"""The server's options, seen from outside where they show, and as numbers where it would take minutes."""

from __future__ import annotations

import json
import resource
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from functools import partial

import grpc
import pytest
from grpc._cython import cygrpc  # type: ignore[attr-defined] # compiled: it has no stubs

from authsvc.app.composition import build_server
from authsvc.rpc.server import MAXIMUM_CONCURRENT_RPCS, OPTIONS, POOL_THREADS, AddressUnusable
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer, StartServer
from tests.rpc.http2 import MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE, REFUSED_STREAM, Connection, connected
from tests.rpc.surface import HEALTH_WATCH, VALIDATE, answered, eventually

KIB, SECOND = 1024, 1000
RESOURCE_EXHAUSTED = 8
BODY = pb.ValidateTokenRequest(api_key="dev", token="x").SerializeToString()


def test_the_options_are_the_published_ones() -> None:
    """The whole list; what a test below shows from outside stands here too."""
    assert dict(OPTIONS) == {
        "grpc.so_reuseport": 0,
        "grpc.max_receive_message_length": 1024 * KIB + 64 * KIB,
        "grpc.max_metadata_size": 16 * KIB,
        "grpc.absolute_max_metadata_size": 16 * KIB,
        "grpc.max_concurrent_streams": 128,
        "grpc.max_allowed_incoming_connections": 1_000,
        "grpc.max_connection_idle_ms": 120 * SECOND,
        "grpc.max_connection_age_ms": 600 * SECOND,
        "grpc.max_connection_age_grace_ms": 30 * SECOND,
        "grpc.server_handshake_timeout_ms": 10 * SECOND,
        "grpc.keepalive_time_ms": 60 * SECOND,
        "grpc.keepalive_timeout_ms": 10 * SECOND,
        "grpc.keepalive_permit_without_calls": 1,
        "grpc.http2.min_ping_interval_without_data_ms": 20 * SECOND,
        "grpc.enable_channelz": 0,
    }
    assert (MAXIMUM_CONCURRENT_RPCS, POOL_THREADS) == (8_192, 128)
    assert len(OPTIONS) == len(dict(OPTIONS)), "none is said twice"


def test_the_limits_of_a_connection_are_announced(server: RunningServer) -> None:
    """SETTINGS tell a client of 128 streams and 16 KiB of metadata before its first call."""
    with connected(server.target) as connection:
        assert connection.settings[MAX_CONCURRENT_STREAMS] == 128
        assert connection.settings[MAX_HEADER_LIST_SIZE] == 16 * KIB


def test_a_connection_has_128_streams(server: RunningServer) -> None:
    """One more is refused by the library, without a call; on another connection it is served."""
    with connected(server.target) as connection, connected(server.target) as another:
        streams = []
        for _ in range(128):
            streams.append(connection.call(HEALTH_WATCH))
            connection.send(streams[-1], b"")
            connection.received(streams[-1], 1)
        assert connection.answer(connection.call(VALIDATE, server.metadata)).reset == REFUSED_STREAM
        assert answered(another, VALIDATE, server.metadata, BODY).status == 0
        assert len(connection.ended()) == 1


@pytest.fixture
def many_files() -> Iterator[None]:
    """Leave to open as many files as a thousand connections have ends, both of them in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4_096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_there_are_1000_connections(server: RunningServer, many_files: None) -> None:
    """One more is hung up on at once, and let in when another has left."""
    with ExitStack() as open_connections:
        first, *_ = [open_connections.enter_context(connected(server.target)) for _ in range(1_000)]
        assert not is_let_in(server)
        first.close()
        assert eventually(partial(is_let_in, server), bool)


def is_let_in(server: RunningServer) -> bool:
    """Whether the server takes another connection."""
    try:
        with connected(server.target):
            return True
    except ConnectionError:
        return False


@pytest.mark.parametrize(("size", "served"), [(15 * KIB, True), (17 * KIB, False), (64 * KIB, False)])
def test_metadata_has_at_most_16_kib(server: RunningServer, size: int, served: bool) -> None:
    """Beyond it the library refuses the call, and the connection goes on."""
    with connected(server.target) as connection:
        stream = connection.call(VALIDATE, server.metadata, more=[("x-padding", "a" * size)])
        if served:
            connection.send(stream, BODY)
        answer = connection.answer(stream)
        assert answer.status == (0 if served else RESOURCE_EXHAUSTED)
        assert server.credential not in json.dumps(answer.headers)
        assert answered(connection, VALIDATE, server.metadata, BODY).status == 0


def test_a_second_server_on_the_port_does_not_start(server: RunningServer) -> None:
    """It is told what is wrong instead of getting half of the connections."""
    second = build_server(server.domain, dev=False, reflection=False)
    try:
        with pytest.raises(AddressUnusable, match=rf"cannot listen on {server.target}: is the port taken"):
            second.listen(server.target)
    finally:
        second.stop(lame_duck=timedelta(0), grace=timedelta(0))


def diagnosed() -> set[str]:
    """The servers of this process that the library's diagnosis service would list."""
    listed = json.loads(cygrpc.channelz_get_servers(0))
    return {server["ref"]["serverId"] for server in listed.get("server", ())}


def test_the_librarys_diagnosis_knows_nothing_of_us(start_server: StartServer) -> None:
    """Channelz shows peers and traffic: our server is not listed and does not serve it; one without the option is."""
    before = diagnosed()
    server = start_server()
    with connected(server.target) as connection:
        unknown = connection.answer(connection.call("/grpc.channelz.v1.Channelz/GetServers", server.metadata))
    assert unknown.reason == "METHOD_UNKNOWN"
    assert diagnosed() <= before
    plain = grpc.server(ThreadPoolExecutor(1), options=[("grpc.enable_channelz", 1)])
    assert len(diagnosed() - before) == 1
    plain.stop(None).wait()


def test_too_many_pings_end_the_connection(server: RunningServer) -> None:
    """A client that pings without end is told to go away; one ping is answered."""
    with connected(server.target) as connection:
        connection.ping()
        assert connection.ended() == []
        with pytest.raises(ConnectionError):
            ping_without_end(connection)


def ping_without_end(connection: Connection) -> None:
    """Ping until the server hangs up."""
    for _ in range(20):
        connection.ping()
        connection.ended()


def test_another_protocol_is_no_connection(server: RunningServer) -> None:
    """Who does not speak HTTP/2 is hung up on, and others are served."""
    host, _, port = server.target.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 4)
        while stranger.recv(1024):
            pass
    with connected(server.target) as connection:
        assert answered(connection, VALIDATE, server.metadata, BODY).status == 0
