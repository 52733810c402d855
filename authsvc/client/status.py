"""From a gRPC status and its ``google.rpc`` details to the tree of errors: the one place that decodes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from authsvc.client import errors
from authsvc.client.errors import AuthClientError, Failure, Violation
from authsvc.errors import Reason

DOMAIN = "authsvc"

_CODES: Mapping[int, grpc.StatusCode] = MappingProxyType({code.value[0]: code for code in grpc.StatusCode})

_MEANING: Mapping[grpc.StatusCode, type[AuthClientError]] = MappingProxyType(
    {
        grpc.StatusCode.UNAUTHENTICATED: errors.Unauthenticated,
        grpc.StatusCode.PERMISSION_DENIED: errors.PermissionDenied,
        grpc.StatusCode.NOT_FOUND: errors.NotFound,
        grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
        grpc.StatusCode.FAILED_PRECONDITION: errors.PreconditionFailed,
        grpc.StatusCode.ALREADY_EXISTS: errors.AlreadyExists,
        grpc.StatusCode.ABORTED: errors.Conflict,
        grpc.StatusCode.RESOURCE_EXHAUSTED: errors.Exhausted,
        grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
        grpc.StatusCode.UNIMPLEMENTED: errors.MethodUnknown,
        grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
        grpc.StatusCode.INTERNAL: errors.Internal,
    }
)
# Among the failed preconditions these say one thing: the user signs in again.
_REFRESH_REASONS = frozenset(
    {
        Reason.REFRESH_TOKEN_INVALID,
        Reason.REFRESH_TOKEN_EXPIRED,
        Reason.REFRESH_TOKEN_REUSED,
        Reason.SESSION_REVOKED,
    }
)


def error_of(fault: grpc.RpcError) -> AuthClientError:
    """The error that a failed call means. A status without our details, as a proxy or a dead line gives it, too."""
    call = cast(grpc.Call, fault)  # what a stub raises is both
    try:
        status = rpc_status.from_call(call)
        details = status.details if status is not None else ()
    except (ValueError, DecodeError):  # trailers that contradict the status, or that someone on the way has cut
        details = ()
    return _error(call.code(), call.details() or "", details)


def item_error(status: status_pb2.Status) -> AuthClientError:
    """The error that the ``status`` of one item of a batch means: what a call of its own would have raised."""
    return _error(_CODES.get(status.code, grpc.StatusCode.UNKNOWN), status.message, status.details)


def _error(code: grpc.StatusCode, text: str, details: Iterable[Any]) -> AuthClientError:
    failure = _failure(code.name, text, details)
    if failure.reason in _REFRESH_REASONS:
        return errors.RefreshRefused(failure)
    return _MEANING.get(code, AuthClientError)(failure)


def _failure(code: str, text: str, details: Iterable[Any]) -> Failure:
    info, bad_request, retry = _unpacked(details)
    if info.domain != DOMAIN or not info.reason:
        return Failure(code, reason=code, message=text)
    return Failure(
        code,
        reason=info.reason,
        message=text.removeprefix(f"{info.reason}: "),
        violations=tuple(Violation(each.field, each.description, each.reason) for each in bad_request.field_violations),
        retry_after=retry.retry_delay.ToTimedelta() if retry.HasField("retry_delay") else None,
        metadata=dict(info.metadata),
    )


def _unpacked(details: Iterable[Any]) -> tuple[Any, Any, Any]:
    """ErrorInfo, BadRequest and RetryInfo among the details, each empty where it is missing or does not parse."""
    # The three are untyped: googleapis-common-protos ships no stubs.
    wanted = (error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo())
    try:
        for packed in details:
            for message in wanted:
                packed.Unpack(message)  # does nothing to a message of another type
    except DecodeError:
        return error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    return wanted
