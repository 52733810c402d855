"""How many calls may be in flight, and that each place comes back however its call ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from authsvc.app.composition import build_server
from authsvc.errors import Exhausted, Reason, Unavailable
from authsvc.rpc.call import Call
from authsvc.rpc.interceptors.admission import GlobalAdmission
from authsvc.rpc.limits import Limits
from authsvc.rpc.methods import methods_of_service
from authsvc.v1 import auth_pb2
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer, StartServer
from tests.refusals import read_refusal
from tests.rpc.http2 import Connection, connected
from tests.rpc.surface import (
    AUTH,
    HEALTH_CHECK,
    REFLECTION,
    VALIDATE,
    Metadata,
    answered,
    auth_of,
    bearer,
    completed,
    eventually,
)

OK = 0
BODY = pb.ValidateTokenRequest(api_key="dev", token="x").SerializeToString()
PATIENT = 60.0


def another(server: RunningServer, name: str = "other") -> Metadata:
    """A caller of its own."""
    return bearer(server.new_credential(name, permissions=("tokens.validate",), all_apps=True))


def test_the_limits_are_the_published_ones() -> None:
    """The numbers that operators are told; a test that lowers one lowers that one only."""
    assert asdict(Limits()) == {
        "in_flight": 1_024,
        "in_flight_revoking": 128,
        "in_flight_reserved": 128,
        "in_flight_principal": 512,
        "streams": 2_000,
        "streams_principal": 256,
        "streams_open": 1_000,
        "dialogs": 16,
        "open_address_minute": 10,
        "open_app_second": 100,
        "open_remembered": 10_000,
        "body_seconds": 5.0,
        "stalled_principal": 32,
        "stalled_open": 8,
        "stalled_all": 72,
        "send_seconds": 1.0,
        "heartbeat_seconds": 4.0,
    }


@pytest.mark.parametrize("most", [1, 3])
def test_a_principal_has_so_many_calls_in_flight(start_server: StartServer, most: int) -> None:
    """One more is RATE_LIMITED, whatever other principals do; one less is not."""
    server = start_server(limits=Limits(in_flight_principal=most, body_seconds=PATIENT))
    with connected(server.target) as connection:
        for _ in range(most):
            assert answered(connection, VALIDATE, server.metadata, BODY).status == OK
            connection.call(VALIDATE, server.metadata)
        assert connection.answer(connection.call(VALIDATE, server.metadata)).reason == "RATE_LIMITED"
        assert answered(connection, VALIDATE, another(server), BODY).status == OK


@pytest.mark.parametrize("most", [1, 3])
def test_all_together_have_so_many_calls_in_flight(start_server: StartServer, most: int) -> None:
    """One more is OVERLOADED for everyone, before any credential is looked at."""
    server = start_server(limits=Limits(in_flight=most, body_seconds=PATIENT))
    with connected(server.target) as connection:
        for _ in range(most):
            assert answered(connection, VALIDATE, server.metadata, BODY).status == OK
            connection.call(VALIDATE, server.metadata)
        for metadata in (server.metadata, another(server), (), bearer("ask1_wrong")):
            assert connection.answer(connection.call(VALIDATE, metadata)).reason == "OVERLOADED"


REVOKE = f"{AUTH}RevokeTokens"
REVOKING = pb.RevokeTokensRequest(api_key="dev", user_id="sara").SerializeToString()


@pytest.mark.parametrize(
    ("full", "refused"),
    [
        ({"in_flight": 2}, "OVERLOADED"),
        ({"in_flight_principal": 2}, "RATE_LIMITED"),
    ],
)
def test_what_an_overload_hides_can_be_ended(start_server: StartServer, full: dict[str, int], refused: str) -> None:
    """Where nothing else gets in, revocations do: so many beyond the others, whoever's calls fill the server."""
    server = start_server(limits=Limits(**full, in_flight_revoking=2, body_seconds=PATIENT))
    with connected(server.target) as connection:
        for _ in range(2):
            connection.call(VALIDATE, server.metadata)
        assert connection.answer(connection.call(VALIDATE, server.metadata)).reason == refused
        for _ in range(2):
            assert answered(connection, REVOKE, server.metadata, REVOKING).status == OK
            connection.call(REVOKE, server.metadata)
        assert connection.answer(connection.call(REVOKE, server.metadata)).reason == refused
        assert answered(connection, HEALTH_CHECK).status == OK, "and health beyond both"


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(in_flight_principal=0), "RATE_LIMITED"),
        (Limits(in_flight=0), "OVERLOADED"),
    ],
)
def test_a_full_server_says_when_to_come_back(start_server: StartServer, limits: Limits, reason: str) -> None:
    """RESOURCE_EXHAUSTED with the reason and RetryInfo."""
    server = start_server(limits=limits)
    with pytest.raises(grpc.RpcError) as refused:
        server.auth().ValidateToken(pb.ValidateTokenRequest(api_key="dev", token="x"), metadata=server.metadata)
    assert read_refusal(refused.value).code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert read_refusal(refused.value).reason == reason
    assert retry_seconds(refused.value) == 1


def retry_seconds(error: BaseException) -> float:
    """When the caller is told to come back."""
    assert isinstance(error, grpc.Call)
    status, retry = rpc_status.from_call(error), error_details_pb2.RetryInfo()
    assert status is not None
    assert any(detail.Unpack(retry) for detail in status.details)
    return float(retry.retry_delay.ToTimedelta().total_seconds())


def ends_well(connection: Connection, metadata: Metadata) -> None:
    """A whole call."""
    assert answered(connection, VALIDATE, metadata, BODY).status == OK


def is_refused(connection: Connection, metadata: Metadata) -> None:
    """A call whose body does not parse."""
    assert answered(connection, VALIDATE, metadata, b"\xff").reason == "INVALID_REQUEST"


def sends_no_message(connection: Connection, metadata: Metadata) -> None:
    """A call that ends without a message."""
    stream = connection.call(VALIDATE, metadata)
    connection.end(stream)
    assert connection.answer(stream).reason == "INVALID_REQUEST"


def is_taken_back(connection: Connection, metadata: Metadata) -> None:
    """A call that its caller cancels."""
    connection.cancel(connection.call(VALIDATE, metadata))


def hangs_up(connection: Connection, metadata: Metadata) -> None:
    """A call whose caller is gone."""
    connection.call(VALIDATE, metadata)
    connection.close()


@pytest.mark.parametrize("end", [ends_well, is_refused, sends_no_message, is_taken_back, hangs_up])
@pytest.mark.parametrize("limits", [Limits(in_flight=1), Limits(in_flight_principal=1)], ids=["all", "principal"])
def test_the_place_comes_back(
    start_server: StartServer, limits: Limits, end: Callable[[Connection, Metadata], None]
) -> None:
    """With one place in all, or one for the principal, the next call is served once the one before is over."""
    server = start_server(limits=limits)
    for number in range(3):
        with connected(server.target) as connection:
            end(connection, server.metadata)
            over = 2 * number + 1
            assert eventually(lambda: len(completed(server)), over.__eq__) == over
        with connected(server.target) as connection:
            assert answered(connection, VALIDATE, server.metadata, BODY).status == OK


def test_the_place_of_a_refused_caller_comes_back(start_server: StartServer) -> None:
    """Calls without a credential, of unknown methods and without the permission leave nothing taken."""
    server = start_server(limits=Limits(in_flight=1))
    least = bearer(server.new_credential("reader", permissions=("trust.read",)))
    with connected(server.target) as connection:
        for _ in range(3):
            assert connection.answer(connection.call(VALIDATE)).reason == "CREDENTIAL_MISSING"
            assert connection.answer(connection.call("/no/such", server.metadata)).reason == "METHOD_UNKNOWN"
            assert connection.answer(connection.call(VALIDATE, least)).reason == "PERMISSION_MISSING"
        assert answered(connection, VALIDATE, server.metadata, BODY).status == OK


@pytest.mark.parametrize(
    ("limits", "reason"), [(Limits(dialogs=2), "OVERLOADED"), (Limits(streams_principal=2), "RATE_LIMITED")]
)
def test_streams_that_hold_a_thread_are_few(start_server: StartServer, limits: Limits, reason: str) -> None:
    """A third open reflection stream is refused, and is let in once another has ended."""
    server = start_server(build=lambda domain: build_server(domain, dev=False, reflection=True, limits=limits))
    with connected(server.target) as connection:
        first, _ = (connection.call(REFLECTION[0], server.metadata) for _ in range(2))
        assert connection.answer(connection.call(REFLECTION[0], server.metadata)).reason == reason
        connection.end(first)
        assert connection.answer(first).status == OK
        eventually(lambda: completed(server), lambda lines: lines[-1]["code"] == "OK")
        third = connection.call(REFLECTION[0], server.metadata)
        connection.end(third)
        assert connection.answer(third).status == OK


def test_a_server_that_drains_takes_no_new_calls() -> None:
    """From the end of the lame duck on a call is told to go elsewhere, and when."""
    admission = GlobalAdmission(Limits())
    call = Call(VALIDATE, None, ())
    admission.arrive(call)
    admission.drain()
    with pytest.raises(Unavailable) as refused:
        admission.arrive(call)
    assert refused.value.reason is Reason.DRAINING
    assert refused.value.retry_after is not None


def test_a_server_that_drains_still_ends_what_is_to_be_ended() -> None:
    """There may be no other worker to go to; as much as may be in flight, and then it is OVERLOADED."""
    (revoke,) = (
        method
        for method in methods_of_service(auth_pb2.DESCRIPTOR.services_by_name["AuthService"], auth_of(print))
        if method.revoking
    )
    admission = GlobalAdmission(Limits(in_flight=1, in_flight_revoking=1))
    admission.drain()
    calls = [Call(REVOKE, revoke, ()) for _ in range(3)]
    for call in calls[:2]:
        admission.arrive(call)
    with pytest.raises(Exhausted):
        admission.arrive(calls[2])
