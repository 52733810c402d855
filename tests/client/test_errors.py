"""From a status on the wire to the error that a caller catches."""

from __future__ import annotations

import pickle
import traceback
from datetime import timedelta

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from authsvc import client as sdk
from authsvc.client import AuthClientError
from authsvc.errors import AuthError, Exhausted, InvalidRequest, Reason, Violation
from authsvc.rpc.status import STATUS, internal_status, status_of
from authsvc.v1.auth_pb2 import ValidateTokenRequest
from tests.client.conftest import CREDENTIAL
from tests.client.halves import Do
from tests.client.scripted import Behaviour, ScriptedServer, aborts, ends_with

CLASSES = {
    "UNAUTHENTICATED": sdk.Unauthenticated,
    "PERMISSION_DENIED": sdk.PermissionDenied,
    "NOT_FOUND": sdk.NotFound,
    "INVALID_ARGUMENT": sdk.InvalidRequest,
    "FAILED_PRECONDITION": sdk.PreconditionFailed,
    "ALREADY_EXISTS": sdk.AlreadyExists,
    "ABORTED": sdk.Conflict,
    "RESOURCE_EXHAUSTED": sdk.Exhausted,
    "DEADLINE_EXCEEDED": sdk.DeadlineExceeded,
    "UNIMPLEMENTED": sdk.MethodUnknown,
    "UNAVAILABLE": sdk.Unavailable,
    "INTERNAL": sdk.Internal,
}
SIGN_IN_AGAIN = {
    Reason.REFRESH_TOKEN_INVALID,
    Reason.REFRESH_TOKEN_EXPIRED,
    Reason.REFRESH_TOKEN_REUSED,
    Reason.SESSION_REVOKED,
}


def error_after(patient: Do, scripted: ScriptedServer, behaviour: Behaviour) -> AuthClientError:
    """What the client raises when the server behaves like that, however often it is asked."""
    scripted.script = [behaviour] * 4
    with pytest.raises(AuthClientError) as raised:
        patient(lambda client: client.validate_token(ValidateTokenRequest(token="x")))
    return raised.value


def detailed(code: grpc.StatusCode, *details: Any) -> grpc.Status:
    """A status with those details packed."""
    number: int = code.value[0]
    return rpc_status.to_status(status_pb2.Status(code=number, message="told", details=details))


def packed_info(domain: str) -> Any:
    """An ErrorInfo of that domain with a reason of ours."""
    packed = Any()
    packed.Pack(error_details_pb2.ErrorInfo(reason="APP_NOT_FOUND", domain=domain))
    return packed


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_arrives_under_the_class_of_its_meaning(
    reason: Reason, patient: Do, scripted: ScriptedServer
) -> None:
    """Whatever the service refuses with, the client raises the class for it, with the reason and its text."""
    error = error_after(patient, scripted, ends_with(status_of(AuthError(reason))))
    wanted = sdk.RefreshRefused if reason in SIGN_IN_AGAIN else CLASSES[STATUS[reason].name]
    assert (type(error), error.reason, error.code) == (wanted, reason, STATUS[reason].name)
    assert error.message == AuthError(reason).text[: len(error.message)] != ""


def test_all_violations_arrive(patient: Do, scripted: ScriptedServer) -> None:
    """A refused request names every field with what would be right, also in the error's text."""
    faults = [Violation("user.id", "must be set"), Violation("custom_claims.iss", "is reserved", Reason.RESERVED_CLAIM)]
    error = error_after(patient, scripted, ends_with(status_of(InvalidRequest(faults))))
    assert [(each.field, each.description, each.reason) for each in error.violations] == [
        ("user.id", "must be set", "INVALID_REQUEST"),
        ("custom_claims.iss", "is reserved", "RESERVED_CLAIM"),
    ]
    assert "(user.id: must be set; custom_claims.iss: is reserved)" in str(error)


def test_metadata_and_retry_delay_arrive(patient: Do, scripted: ScriptedServer) -> None:
    """What passes with time says when to come back, and metadata is kept."""
    fault = Exhausted(Reason.RATE_LIMITED, metadata={"limit": "32"}, retry_after=timedelta(milliseconds=250))
    error = error_after(patient, scripted, ends_with(status_of(fault)))
    assert (error.retry_after, error.metadata, error.error_id) == (timedelta(milliseconds=250), {"limit": "32"}, "")


def test_an_internal_error_names_its_entry_in_the_log(patient: Do, scripted: ScriptedServer) -> None:
    """The error id of an internal error is at hand to be told to an operator."""
    assert error_after(patient, scripted, ends_with(internal_status("id-7"))).error_id == "id-7"


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_a_status_without_details_is_an_error_too(code: grpc.StatusCode, patient: Do, scripted: ScriptedServer) -> None:
    """What a proxy answers instead of the service has the code's name as its reason."""
    error = error_after(patient, scripted, aborts(code))
    assert (error.code, error.reason, error.message) == (code.name, code.name, "no details")
    assert type(error) is CLASSES.get(code.name, AuthClientError)


def test_a_reason_of_another_domain_is_not_taken_for_ours(patient: Do, scripted: ScriptedServer) -> None:
    """Reasons have a meaning only under the domain of the service."""
    foreign = detailed(grpc.StatusCode.NOT_FOUND, packed_info("example.com"))
    assert error_after(patient, scripted, ends_with(foreign)).reason == "NOT_FOUND"
    ours = detailed(grpc.StatusCode.NOT_FOUND, packed_info("authsvc"))
    assert error_after(patient, scripted, ends_with(ours)).reason == "APP_NOT_FOUND"


@pytest.mark.parametrize(
    "trailer", [b"\xff\xff", b"", status_pb2.Status(code=3, message="another").SerializeToString()]
)
def test_details_that_do_not_parse_or_contradict_are_left_out(
    trailer: bytes, patient: Do, scripted: ScriptedServer
) -> None:
    """A trailer that was cut or does not fit the status costs the details, never the error."""

    def end(_: object, context: grpc.ServicerContext) -> ValidateTokenRequest:
        context.set_trailing_metadata((("grpc-status-details-bin", trailer),))
        context.abort(grpc.StatusCode.NOT_FOUND, "plain")

    error = error_after(patient, scripted, end)
    assert (type(error), error.reason, error.message) == (sdk.NotFound, "NOT_FOUND", "plain")


def test_a_detail_whose_bytes_were_cut_is_left_out(patient: Do, scripted: ScriptedServer) -> None:
    """An ErrorInfo that does not parse leaves the code to go by."""
    cut = packed_info("authsvc")
    cut.value = cut.value[:-3]
    error = error_after(patient, scripted, ends_with(detailed(grpc.StatusCode.NOT_FOUND, cut)))
    assert (type(error), error.reason) == (sdk.NotFound, "NOT_FOUND")


def test_errors_survive_pickling(patient: Do, scripted: ScriptedServer) -> None:
    """An error that crosses to another process says there what it said here."""
    fault = InvalidRequest([Violation("user.id", "must be set")])
    error = error_after(patient, scripted, ends_with(status_of(fault)))
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), str(copy), copy.violations) == (type(error), str(error), error.violations)


def test_a_traceback_with_variables_shows_no_credential(patient: Do, scripted: ScriptedServer) -> None:
    """Reporters print the variables of every frame of an error and of its causes: the credential is in none."""
    error = error_after(patient, scripted, aborts(grpc.StatusCode.NOT_FOUND))
    told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "validate_token" in told
    assert CREDENTIAL not in told
