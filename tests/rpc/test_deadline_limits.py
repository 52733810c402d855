"""How long a call may take: what cannot be done in time is not begun."""

from __future__ import annotations

import math

import pytest

from authsvc.app.composition import Domain
from authsvc.clock import seconds_left, system_randomness
from authsvc.rpc.call import Call
from authsvc.rpc.limits import Limits
from authsvc.rpc.server import RpcServer
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer, StartServer
from tests.rpc.http2 import connected
from tests.rpc.surface import EVERY, VALIDATE, answered, auth_of, surface_of

DEADLINE_EXCEEDED = 4
ENDED_BY_THE_LIBRARY = (None, 1)  # a reset without a status, or CANCELLED
BODY = pb.ValidateTokenRequest(api_key="dev", token="x").SerializeToString()


class Noting:
    """Notes how many seconds a call had left when it was served."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, _: object, call: Call) -> pb.ValidateTokenResponse:
        assert call.deadline is not None
        self.seconds.append(seconds_left(call.deadline))
        return pb.ValidateTokenResponse()

    def build(self, domain: Domain) -> RpcServer:
        """A server whose ``AuthService`` does nothing else."""
        return RpcServer(surface_of(domain, auth_of(self)), domain.logs, system_randomness, Limits(), domain.metrics)


@pytest.mark.parametrize("timeout", ["9m", "1m", "1u", "1n", "0S"])
def test_less_than_10_ms_is_too_short(server: RunningServer, timeout: str) -> None:
    """Each method refuses a call that came with less, whatever its body is."""
    with connected(server.target) as connection:
        streams = {name: connection.call(name, server.metadata, more=[("grpc-timeout", timeout)]) for name in EVERY}
        found = {name: connection.answer(stream) for name, stream in streams.items()}
    # The library's own clock may run out first; then it ends the call and has no reason to give.
    assert {answer.status for answer in found.values()} <= {DEADLINE_EXCEEDED, *ENDED_BY_THE_LIBRARY}
    assert {answer.reason for answer in found.values()} <= {"DEADLINE_TOO_SHORT", "Deadline Exceeded", "CANCELLED", ""}


def test_a_short_deadline_says_its_reason(server: RunningServer) -> None:
    """Between 0 and 10 ms the refusal is ours, with a reason that tells it from a slow answer."""
    with connected(server.target) as connection:
        for _ in range(50):  # on a busy machine it may have passed before anyone looks
            stream = connection.call(VALIDATE, server.metadata, more=[("grpc-timeout", "9m")])
            if connection.answer(stream).reason == "DEADLINE_TOO_SHORT":
                return
    pytest.fail("the reason was never told")


def test_a_second_is_enough(server: RunningServer) -> None:
    """The same call with more time is served."""
    with connected(server.target) as connection:
        stream = connection.call(VALIDATE, server.metadata, more=[("grpc-timeout", "30S")])
        connection.send(stream, BODY)
        assert connection.answer(stream).status == 0


@pytest.mark.parametrize(
    ("more", "least", "most"),
    [
        ([], 0, 5),
        ([("grpc-timeout", "3S")], 0, 3),
        ([("grpc-timeout", "20S")], 5, 20),
        ([("grpc-timeout", "24H")], 20, 60),
    ],
    ids=["none", "3 s", "20 s", "a day"],
)
def test_the_work_gets_the_callers_deadline(
    start_server: StartServer, more: list[tuple[str, str]], least: float, most: float
) -> None:
    """The caller's deadline goes to the work; without one it has five seconds, and never more than a minute."""
    noting = Noting()
    server = start_server(build=noting.build)
    with connected(server.target) as connection:
        stream = connection.call(VALIDATE, server.metadata, more=more)
        connection.send(stream, BODY)
        assert connection.answer(stream).status == 0
    (seconds,) = noting.seconds
    assert least < seconds <= most
    assert not math.isinf(seconds)


def test_a_deadline_that_passes_while_the_body_is_awaited_begins_nothing(start_server: StartServer) -> None:
    """A body that comes after its call's deadline is not looked at; one that came before is."""
    noting = Noting()
    server = start_server(build=noting.build)
    with connected(server.target) as connection:
        assert answered(connection, VALIDATE, server.metadata, BODY).status == 0
        late = connection.call(VALIDATE, server.metadata, more=[("grpc-timeout", "100m")])
        assert connection.answer(late).status in (DEADLINE_EXCEEDED, *ENDED_BY_THE_LIBRARY)
        assert answered(connection, VALIDATE, server.metadata, BODY).status == 0
    assert len(noting.seconds) == 2
