"""How a server process ends: NOT_SERVING first, what is in flight is finished, exit code 0; a second signal ends it."""

from __future__ import annotations

import signal
from pathlib import Path

from grpc_health.v1 import health_pb2

from authsvc.v1 import auth_pb2 as pb
from tests.app.processes import serving
from tests.app.test_dev_process import dev_json
from tests.rpc.http2 import Connection, connected
from tests.rpc.surface import HEALTH_CHECK, HEALTH_WATCH, VALIDATE, answered, bearer

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
BODY = pb.ValidateTokenRequest(api_key="dev", token="x").SerializeToString()


def watched(connection: Connection) -> int:
    """A watch that has been told SERVING."""
    stream = connection.call(HEALTH_WATCH)
    connection.send(stream, b"")
    assert told(connection, stream, 1) == [SERVING]
    return stream


def told(connection: Connection, stream: int, messages: int) -> list[int]:
    """The statuses that a watcher was told, once there are that many."""
    return [health_pb2.HealthCheckResponse.FromString(raw).status for raw in connection.received(stream, messages)]


def test_a_signal_ends_it_without_a_broken_call(state_dir: Path) -> None:
    """At once NOT_SERVING; in the lame duck new calls are served; a call in flight is answered; the exit code is 0."""
    state = state_dir / "state"
    with serving(state, "--dev", AUTHSVC_LAME_DUCK="3s") as server, connected(server.target()) as connection:
        metadata = bearer(dev_json(state)["credential"])
        watch = watched(connection)
        in_flight = connection.call(VALIDATE, metadata)
        server.signal(signal.SIGTERM)
        assert told(connection, watch, 2) == [SERVING, NOT_SERVING]
        connection.send(in_flight, BODY)
        assert connection.answer(in_flight).status == 0
        assert answered(connection, VALIDATE, metadata, BODY).status == 0
        (raw,) = answered(connection, HEALTH_CHECK).messages
        assert health_pb2.HealthCheckResponse.FromString(raw).status == NOT_SERVING
        assert connection.answer(watch).reason == "DRAINING"
        connection.close()
        assert server.exit_code() == 0
        assert [server.log(each)["level"] for each in ("server stopping", "server stopped")] == ["info", "info"]


def test_a_call_that_does_not_end_is_ended_with_the_grace(state_dir: Path) -> None:
    """Nobody who waits for ever keeps the process: after the grace it ends, with exit code 0 all the same."""
    state = state_dir / "state"
    with serving(state, "--dev", AUTHSVC_SHUTDOWN_GRACE="0s") as server, connected(server.target()) as connection:
        waiting = connection.call(VALIDATE, bearer(dev_json(state)["credential"]))
        watched(connection)
        server.signal(signal.SIGINT)
        assert server.exit_code() == 0
        assert connection.answer(waiting).status != 0


def test_a_second_signal_ends_it_now(state_dir: Path) -> None:
    """However long the lame duck, whoever asks twice does not wait, and the exit code says that it was a signal."""
    with (
        serving(state_dir / "state", "--dev", AUTHSVC_LAME_DUCK="1d") as server,
        connected(server.target()) as connection,
    ):
        watch = watched(connection)
        server.signal()
        assert told(connection, watch, 2) == [SERVING, NOT_SERVING]
        assert server.process.poll() is None, "it is in its lame duck"
        server.signal()
        assert server.exit_code() == 128 + signal.SIGTERM
