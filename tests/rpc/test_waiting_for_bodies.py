"""Headers without bodies: rationed, watched, and never at the cost of whoever sends both."""

from __future__ import annotations

from contextlib import ExitStack

import grpc
import pytest

from authsvc.rpc.limits import Limits
from authsvc.rpc.server import POOL_THREADS
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer, StartServer
from tests.refusals import refusal_of
from tests.rpc.http2 import Connection, connected
from tests.rpc.surface import HEALTH_CHECK, HEALTH_WATCH, VALIDATE, Metadata, answered, bearer, eventually

OK, RESOURCE_EXHAUSTED = 0, 8
BODY = pb.ValidateTokenRequest(api_key="dev", token="x").SerializeToString()


def another(server: RunningServer, name: str = "other") -> Metadata:
    """A caller of its own."""
    return bearer(server.new_credential(name, permissions=("tokens.validate",), all_apps=True))


def stall(connection: Connection, count: int, metadata: Metadata = (), path: str = VALIDATE) -> list[int]:
    """Begin that many calls and send no body."""
    return [connection.call(path, metadata) for _ in range(count)]


def test_64_headers_only_streams_never_delay_a_good_caller(server: RunningServer) -> None:
    """While 64 calls of one credential wait for bodies, whole calls of another and of the same one are answered."""
    with connected(server.target) as stalling, connected(server.target) as good:
        stall(stalling, 64, server.metadata)
        somebody_else = another(server)
        for _ in range(10):
            assert answered(good, VALIDATE, somebody_else, BODY).status == OK
        # The same credential once its ration is settled: while new calls still stall, it may be told to wait.
        assert len(stalling.ended(32)) == 32, "they did wait, and half of them over the ration"
        for metadata in (another(server, "late"), server.metadata) * 10:
            assert answered(good, VALIDATE, metadata, BODY).status == OK


@pytest.mark.parametrize("ration", [3, 32, 40])
def test_a_principal_may_have_so_many_calls_waiting(start_server: StartServer, ration: int) -> None:
    """Those that came last are ended, exactly down to the ration; one that was within it still gets its answer."""
    server = start_server(limits=Limits(stalled_principal=ration, body_seconds=60))
    with connected(server.target) as connection:
        first, *_ = stall(connection, ration, server.metadata)
        assert eventually(lambda: server.rpc.patience.stalled(server.account_id), ration.__eq__) == ration
        stall(connection, 8, server.metadata)
        assert len(connection.ended(8)) == 8
        connection.send(first, BODY)
        assert connection.answer(first).status == OK
        assert len(connection.ended()) == 9


def test_the_ration_is_a_principals_own(start_server: StartServer) -> None:
    """Beside a principal whose further calls are ended, another one's call may wait for its body."""
    server = start_server(limits=Limits(stalled_principal=4, body_seconds=60))
    with connected(server.target) as greedy, connected(server.target) as modest:
        stall(greedy, 10, server.metadata)
        waiting = modest.call(VALIDATE, another(server))
        assert len(greedy.ended(6)) == 6
        (late,) = stall(greedy, 1, server.metadata)
        assert greedy.answer(late).status in (None, 1, RESOURCE_EXHAUSTED), "ended without its body"
        assert modest.ended() == []
        modest.send(waiting, BODY)
        assert modest.answer(waiting).status == OK


@pytest.mark.parametrize("path", [HEALTH_CHECK, HEALTH_WATCH])
def test_open_methods_share_eight(server: RunningServer, path: str) -> None:
    """Callers nobody knows have eight calls waiting together, and health is answered to all others meanwhile."""
    with connected(server.target) as stalling, connected(server.target) as probing:
        stall(stalling, 20, path=path)
        assert answered(probing, HEALTH_CHECK).status == OK
        assert len(stalling.ended(12)) == 12
        for _ in range(20):
            assert answered(probing, HEALTH_CHECK).status == OK
        assert len(stalling.ended()) == 12


def test_beyond_the_ration_there_are_few_places_to_wait_for_a_moment(start_server: StartServer) -> None:
    """A burst of headers beyond the ration is refused with RATE_LIMITED and a delay, not left to hold threads."""
    server = start_server(limits=Limits(stalled_principal=1, body_seconds=60))
    with connected(server.target) as connection:
        stall(connection, 2, server.metadata)
        assert len(connection.ended(1)) == 1
        burst = stall(connection, 60, server.metadata)
        reasons = {connection.answer(stream).reason for stream in burst}
        assert "RATE_LIMITED" in reasons


def test_no_wait_outlasts_its_time(start_server: StartServer) -> None:
    """The watch ends a call whose body does not come."""
    hasty = start_server(limits=Limits(body_seconds=0.2))
    with connected(hasty.target) as connection:
        (stream,) = stall(connection, 1, hasty.metadata)
        assert connection.answer(stream).status != OK


def test_a_wait_within_its_time_is_left_alone(start_server: StartServer) -> None:
    """A body that comes late, but in time, is served."""
    server = start_server(limits=Limits(body_seconds=60))
    with connected(server.target) as connection, connected(server.target) as other:
        (stream,) = stall(connection, 1, server.metadata)
        stall(other, 34, another(server))
        assert len(other.ended(2)) == 2, "the watch has looked"
        assert connection.ended() == []
        connection.send(stream, BODY)
        assert connection.answer(stream).status == OK


def stall_many(server: RunningServer, stack: ExitStack, count: int) -> list[Connection]:
    """That many headers-only calls, of four principals on connections of their own."""
    connections = []
    for number in range(4):
        connection = stack.enter_context(connected(server.target))
        stall(connection, count // 4, another(server, f"stalling-{number}"))
        connections.append(connection)
    return connections


def validate(server: RunningServer, *, seconds: float = 30) -> int:
    """The status of one whole call of gRPC's own client."""
    request = pb.ValidateTokenRequest(api_key="dev", token="x")
    return int(server.auth().ValidateToken(request, metadata=server.metadata, timeout=seconds).status)


def test_no_thread_is_lost_to_those_who_left(server: RunningServer) -> None:
    """After 256 headers-only calls were taken back or cut off, 200 good calls in a row are served."""
    with ExitStack() as stack:
        connections = stall_many(server, stack, 256)
        assert len(connections[0].ended(32)) >= 32
        for stream in range(1, 129, 2):
            connections[0].cancel(stream)
        for connection in connections[1:]:
            connection.close()
        with connected(server.target) as good:
            for _ in range(200):
                assert answered(good, VALIDATE, server.metadata, BODY).status == OK


def test_callers_that_are_known_wait_without_a_thread(start_server: StartServer) -> None:
    """With the ration lifted, twice as many headers-only calls as there are threads delay no whole call."""
    server = start_server(limits=Limits(stalled_principal=1_000, stalled_all=1_000, body_seconds=60))
    with ExitStack() as stack, connected(server.target) as good:
        stall_many(server, stack, 2 * POOL_THREADS)
        stalling = [account.id for account in server.domain.view.accounts() if account.name.startswith("stalling-")]
        count = eventually(lambda: sum(map(server.rpc.patience.stalled, stalling)), (2 * POOL_THREADS).__eq__)
        assert count == 2 * POOL_THREADS
        for _ in range(10):
            assert answered(good, VALIDATE, server.metadata, BODY).status == OK


def stall_every_thread(server: RunningServer, stack: ExitStack) -> list[Connection]:
    """As many headers-only calls of an open method as there are threads: those wait on a thread each."""
    connections = [stack.enter_context(connected(server.target)) for _ in range(2)]
    for connection in connections:
        stall(connection, POOL_THREADS // 2, path=HEALTH_CHECK)
    assert eventually(server.rpc.patience.stalled, POOL_THREADS.__eq__) == POOL_THREADS
    return connections


def test_without_a_ration_open_calls_would_take_the_threads(start_server: StartServer) -> None:
    """The control: with the ration lifted as many headers-only calls as there are threads stop a good caller."""
    server = start_server(limits=Limits(stalled_open=1_000, stalled_all=1_000, body_seconds=60))
    with ExitStack() as stack:
        connections = stall_every_thread(server, stack)
        late = refusal_of(lambda: validate(server, seconds=0.5))
        assert late.code is grpc.StatusCode.DEADLINE_EXCEEDED
        for connection in connections:
            connection.close()
        assert validate(server) == pb.TOKEN_STATUS_MALFORMED


def test_a_refusal_is_told_while_every_thread_waits(start_server: StartServer) -> None:
    """Who has no credential hears so at once, although no thread is left for calls that have one."""
    server = start_server(limits=Limits(stalled_open=1_000, stalled_all=1_000, body_seconds=60))
    with ExitStack() as stack, connected(server.target) as stranger:
        stall_every_thread(server, stack)
        assert stranger.answer(stranger.call(VALIDATE)).reason == "CREDENTIAL_MISSING"


def test_the_rations_leave_threads_for_whole_calls() -> None:
    """All that may wait together, and the dialogs, are fewer than the pool has threads."""
    limits = Limits()
    holders_at_their_ration = 1 + (limits.stalled_all - limits.stalled_open) // limits.stalled_principal
    for_a_moment = 8 * (holders_at_their_ration + 1)
    assert limits.stalled_all + for_a_moment + limits.dialogs < POOL_THREADS
