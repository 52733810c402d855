"""Repeats: of what is safe to repeat, while the service is unavailable, within the deadline."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import timedelta
from itertools import pairwise
from threading import Event

import grpc
import pytest

from authsvc.client import AsyncAuthClient, AuthClient, DeadlineExceeded, Retries, Unavailable
from authsvc.client.methods import Stream
from authsvc.errors import Reason
from authsvc.errors import Unavailable as ServiceUnavailable
from authsvc.rpc.status import status_of
from authsvc.v1 import admin_pb2, auth_pb2
from tests.client.conftest import CREDENTIAL
from tests.client.halves import Do, Half, validate
from tests.client.scripted import ScriptedServer, aborts, ends_with, scripted_server
from tests.client.surface import CALLS, contract

UNAVAILABLE = ends_with(status_of(ServiceUnavailable(Reason.DRAINING)))

REPEATED = {
    *("AuthService/IssueToken", "AuthService/RefreshToken", "AuthService/ValidateToken"),
    *("AuthService/BatchIssueTokens", "AuthService/BatchValidateTokens"),
    *("GuestService/IssueGuestToken", "GuestService/RefreshGuestToken", "GuestService/IssueAnonymousToken"),
    *("AdminService/GetApp", "AdminService/ListApps", "AdminService/GetServiceAccount"),
    *("AdminService/ListServiceAccounts", "AdminService/GetLogging", "AdminService/ListRevocations"),
    *("AdminService/ListAuditEvents", "AuthService/RevokeTokens", "AuthService/ListSessions"),
    *("AdminService/ListKeys", "AdminService/GetJwks", "TrustService/GetTrustBundle"),
}
ONCE = {
    *("AdminService/CreateApp", "AdminService/UpdateApp", "AdminService/SuspendApp", "AdminService/ResumeApp"),
    *("AdminService/CreateServiceAccount", "AdminService/UpdateServiceAccount", "AdminService/DisableServiceAccount"),
    *("AdminService/EnableServiceAccount", "AdminService/RotateCredential", "AdminService/RevokeCredential"),
    *("AdminService/ConfigureLogging", "AdminService/ClearRevocation"),
    *("AdminService/RotateKey", "AdminService/ActivateKey", "AdminService/RevokeKey"),
}
STREAMED = {name for name, entry in CALLS.items() if isinstance(entry.method, Stream)}


def test_every_call_of_the_contract_has_its_row() -> None:
    """A new method of the contract is in one of the tables, or this fails."""
    assert sorted([*REPEATED, *ONCE, *STREAMED]) == sorted(contract())


@pytest.mark.parametrize("name", sorted(REPEATED))
def test_what_is_safe_to_repeat_is_repeated(name: str, patient: Do, scripted: ScriptedServer) -> None:
    """A call that does the same when it is made twice outlives an unavailable service."""
    scripted.script = [UNAVAILABLE, UNAVAILABLE]
    patient(CALLS[name])
    assert len(scripted.requests) == 3


@pytest.mark.parametrize("name", sorted(ONCE))
def test_a_change_is_never_repeated(name: str, patient: Do, scripted: ScriptedServer) -> None:
    """A call that might have had its effect is not made again behind the caller's back."""
    scripted.script = [UNAVAILABLE]
    with pytest.raises(Unavailable):
        patient(CALLS[name])
    assert len(scripted.requests) == 1


def test_repeats_carry_one_request_id(patient: Do, scripted: ScriptedServer) -> None:
    """A request without a name gets one of 128 random bits, the same for each repeat and a new one for each call."""
    request = auth_pb2.RefreshTokenRequest(refresh_token="art1_x")
    scripted.script = [UNAVAILABLE]
    patient(lambda client: client.refresh_token(request))
    patient(lambda client: client.refresh_token(request))
    first, repeat, second = (each.request_id for each in scripted.requests)
    assert first == repeat != second
    assert len(first) == 22
    assert request.request_id == ""


@pytest.mark.parametrize("name", ["issue", "refresh"])
def test_a_request_id_of_the_caller_is_kept(name: str, patient: Do, scripted: ScriptedServer) -> None:
    """Whoever names a request can repeat it after a crash of their own."""
    mine = "mine" * 6
    if name == "issue":
        patient(lambda client: client.issue_token(auth_pb2.IssueTokenRequest(request_id=mine)))
    else:
        patient(lambda client: client.refresh_token(auth_pb2.RefreshTokenRequest(request_id=mine)))
    assert scripted.requests[0].request_id == mine


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED]
)
def test_only_unavailability_is_repeated(
    code: grpc.StatusCode, patient: Do, scripted: ScriptedServer, pauses: list[float]
) -> None:
    """Any other failure would only fail again, or make an overload worse."""
    scripted.script = [aborts(code)]
    with pytest.raises(Exception, match=code.name):
        patient(validate)
    assert (len(scripted.requests), pauses) == (1, [])


def test_repeats_are_limited(patient: Do, scripted: ScriptedServer, pauses: list[float]) -> None:
    """After the last repeat the error is the caller's, who learns it by its reason."""
    scripted.script = [UNAVAILABLE] * 9
    with pytest.raises(Unavailable, match="DRAINING"):
        patient(validate)
    assert (len(scripted.requests), len(pauses)) == (4, 3)


def test_the_service_says_when_to_come_back(patient: Do, scripted: ScriptedServer, pauses: list[float]) -> None:
    """A pause is never shorter than the one the service asks for, and jitter comes on top: nobody returns together."""
    asked = ServiceUnavailable(Reason.STALE, retry_after=timedelta(seconds=1.5))
    scripted.script = [ends_with(status_of(asked))]
    patient(validate)
    (pause,) = pauses
    assert 1.5 < pause < 1.6


def test_no_pause_outlasts_the_deadline(patient: Do, scripted: ScriptedServer, pauses: list[float]) -> None:
    """When the time left is shorter than the pause, the caller is told at once what is wrong."""
    scripted.script = [ends_with(status_of(ServiceUnavailable(Reason.STALE, retry_after=timedelta(seconds=60))))]
    with pytest.raises(Unavailable, match="STALE"):
        patient(validate)
    assert pauses == []


def test_every_call_has_a_deadline(patient: Do, scripted: ScriptedServer) -> None:
    """Five seconds unless told otherwise, and what repeats leave of it is the next attempt's."""
    scripted.script = [UNAVAILABLE, UNAVAILABLE]
    patient(validate)
    patient(lambda client: client.admin.create_app(admin_pb2.CreateAppRequest(), timeout=timedelta(minutes=1)))
    *attempts, own = scripted.times_left
    assert all(0 < left < 6 for left in attempts)  # the wire rounds up
    assert 30 < own < 61


def test_a_call_without_an_answer_ends(half: Half, scripted: ScriptedServer) -> None:
    """A server that takes a call and says nothing costs no more than the timeout."""
    end_of_test = Event()

    def wait(_: object, __: grpc.ServicerContext) -> auth_pb2.ValidateTokenResponse:
        end_of_test.wait()
        return auth_pb2.ValidateTokenResponse()

    scripted.script = [wait]
    with (
        half(scripted.target, CREDENTIAL, timeout=timedelta(milliseconds=200)) as calls,
        pytest.raises(DeadlineExceeded),
    ):
        calls(validate)
    end_of_test.set()


def test_a_service_that_comes_back_is_found_again() -> None:
    """A call that began while nobody listened succeeds when somebody does: gRPC's own second of backoff is cut."""
    with scripted_server() as gone:
        address = gone.target
    with ExitStack() as later:

        def open_and_pause(seconds: float) -> None:
            if not returned:
                returned.append(later.enter_context(scripted_server(address=address)))
            time.sleep(seconds)

        returned: list[ScriptedServer] = []
        retries = Retries(limit=5, randomness=lambda size: b"\xff" * size)
        client = later.enter_context(AuthClient(address, CREDENTIAL, retries=retries, pause=open_and_pause))
        client.validate_token(auth_pb2.ValidateTokenRequest())
        assert len(returned[0].requests) == 1


def test_pauses_grow_and_stay_within_their_bounds() -> None:
    """Full jitter: from nothing up to a ceiling that doubles until it is the longest."""
    lowest = Retries(limit=6, randomness=lambda size: bytes(size))
    highest = Retries(limit=6, randomness=lambda size: b"\xff" * size)
    ceilings = [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert list(lowest.delays()) == [0] * 6
    assert list(highest.delays()) == pytest.approx(ceilings)
    assert all(shorter <= longer for shorter, longer in pairwise(highest.delays()))


@pytest.mark.parametrize("timeout", [timedelta(0), timedelta(seconds=-1)])
def test_a_timeout_is_more_than_nothing(timeout: timedelta, patient: Do) -> None:
    """No timeout means the default, never none at all: zero and less are mistakes."""
    with pytest.raises(ValueError, match="more than 0"):
        AuthClient("127.0.0.1:1", timeout=timeout)
    with pytest.raises(ValueError, match="more than 0"):
        AsyncAuthClient("127.0.0.1:1", timeout=timeout)
    with pytest.raises(ValueError, match="more than 0"):
        patient(lambda client: client.validate_token(auth_pb2.ValidateTokenRequest(), timeout=timeout))
