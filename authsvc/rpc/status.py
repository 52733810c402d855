"""The one table from errors to gRPC statuses, and the details that travel with them.

Every status carries ``google.rpc.ErrorInfo`` with the reason; the reason stands in the message too, because some
tools print details as base64. Larger trailers get lost on the way, so both are bounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from authsvc.errors import AuthError, InvalidRequest, Reason, Violation

DOMAIN = "authsvc"
MAX_VIOLATIONS = 16
MAX_DETAILS_BYTES = 4 * 1024
MAX_MESSAGE_BYTES = 200
_MAX_FIELD = 100

STATUS: Mapping[Reason, grpc.StatusCode] = MappingProxyType(
    {
        Reason.CREDENTIAL_MISSING: grpc.StatusCode.UNAUTHENTICATED,
        Reason.CREDENTIAL_INVALID: grpc.StatusCode.UNAUTHENTICATED,
        Reason.PERMISSION_MISSING: grpc.StatusCode.PERMISSION_DENIED,
        Reason.APP_NOT_ALLOWED: grpc.StatusCode.PERMISSION_DENIED,
        Reason.APP_SUSPENDED: grpc.StatusCode.PERMISSION_DENIED,
        Reason.GUESTS_DISABLED: grpc.StatusCode.PERMISSION_DENIED,
        Reason.ANONYMOUS_DISABLED: grpc.StatusCode.PERMISSION_DENIED,
        Reason.PUBLIC_GUESTS_DISABLED: grpc.StatusCode.PERMISSION_DENIED,
        Reason.SCOPE_NOT_PUBLIC: grpc.StatusCode.PERMISSION_DENIED,
        Reason.NEVER_EXPIRES_NOT_ALLOWED: grpc.StatusCode.PERMISSION_DENIED,
        Reason.GRANT_EXCEEDS_OWN: grpc.StatusCode.PERMISSION_DENIED,
        Reason.APP_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.KEY_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.SERVICE_ACCOUNT_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.CREDENTIAL_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        Reason.INVALID_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.TTL_TOO_LONG: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.RESERVED_CLAIM: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.TOKEN_TOO_LARGE: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.REFRESH_TOKEN_INVALID: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.REFRESH_TOKEN_EXPIRED: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.REFRESH_TOKEN_REUSED: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.SESSION_REVOKED: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.KEY_NOT_READY: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.CREDENTIAL_LIMIT: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.APP_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
        Reason.SERVICE_ACCOUNT_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
        Reason.CONFLICT: grpc.StatusCode.ABORTED,
        Reason.RATE_LIMITED: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.REQUEST_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.DEADLINE_TOO_SHORT: grpc.StatusCode.DEADLINE_EXCEEDED,
        Reason.DEADLINE_EXCEEDED: grpc.StatusCode.DEADLINE_EXCEEDED,
        Reason.METHOD_UNKNOWN: grpc.StatusCode.UNIMPLEMENTED,
        Reason.SERVICE_UNKNOWN: grpc.StatusCode.NOT_FOUND,
        Reason.STORE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
        Reason.STALE: grpc.StatusCode.UNAVAILABLE,
        Reason.DRAINING: grpc.StatusCode.UNAVAILABLE,
        Reason.INTERNAL: grpc.StatusCode.INTERNAL,
    }
)


def status_of(error: AuthError) -> grpc.Status:
    """The status a caller gets for an error: its code, its constant text, its details. Never its ``detail``."""
    return as_status(message_of(error))


def internal_status(error_id: str) -> grpc.Status:
    """The status for anything unforeseen: only an id that the log has too."""
    return as_status(internal_message(error_id))


def message_of(error: AuthError) -> status_pb2.Status:
    """What ``status_of`` says, as the message that an item of a batch carries."""
    return _message(error.reason, error.text, [_info(error.reason, error.metadata), *_more(error)])


def internal_message(error_id: str) -> status_pb2.Status:
    """What ``internal_status`` says, as a message."""
    text = f"an internal error; the log has more under error id {error_id}"
    return _message(Reason.INTERNAL, text, [_info(Reason.INTERNAL, {"error_id": error_id})])


def as_status(message: status_pb2.Status) -> grpc.Status:
    """The status that a call ends with."""
    return rpc_status.to_status(message)


def _message(reason: Reason, text: str, details: Sequence[Message]) -> status_pb2.Status:
    message = f"{reason}: {text}"[:MAX_MESSAGE_BYTES]
    packed = []
    for detail in details:
        packed.append(Any())
        packed[-1].Pack(detail)
    code: int = STATUS[reason].value[0]
    return status_pb2.Status(code=code, message=message, details=packed)


def _info(reason: Reason, metadata: Mapping[str, str]) -> Message:
    info: Message = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)
    return info


def _more(error: AuthError) -> list[Message]:
    more: list[Message] = []
    if isinstance(error, InvalidRequest):
        more.append(_bad_request(error.violations))
    if error.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(error.retry_after)
        more.append(retry)
    return more


def _bad_request(violations: Sequence[Violation]) -> Message:
    """All violations, as far as they fit: at most 16 and about 3 KiB, then how many more there are."""
    fitting = error_details_pb2.BadRequest()  # untyped: the package ships no stubs
    for violation in violations[:MAX_VIOLATIONS]:
        field = violation.field if len(violation.field) <= _MAX_FIELD else violation.field[:_MAX_FIELD] + "…"
        described = fitting.field_violations.add(field=field, description=violation.description)
        described.reason = violation.reason
        if fitting.ByteSize() > MAX_DETAILS_BYTES - 1024:
            del fitting.field_violations[-1]
            break
    left = len(violations) - len(fitting.field_violations)
    if left:
        fitting.field_violations.add(field="…", description=f"and {left} more")
    message: Message = fitting
    return message
