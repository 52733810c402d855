"""How a call is refused: from what is wrong with a token to a gRPC status with ``google.rpc`` details."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from authsvc.client.errors import AuthClientError, InvalidRequest
from authsvc.client.status import DOMAIN
from authsvc.client.verifier.checked import TokenNotActive, TrustStale

_CODE: Final = grpc.StatusCode
# By the number that a verdict has for clients: what another token cannot change is no matter of authentication.
_DENIED: Final = frozenset((17, 99))

_TEXTS: Final = MappingProxyType(
    {
        "TOKEN_MISSING": "the call shows no token, or more than one",
        "METHOD_WITHOUT_RULE": "nobody may call this method: the service has no rule for it",
        "STALE": "tokens cannot be checked now: what is known of keys and revocations is too old",
        "VERIFIER_UNAVAILABLE": "tokens cannot be checked now",
        "INVALID_REQUEST": "the request names no call or channel as they are named",
        "INTERNAL": "the service could not find out whether the call is allowed",
    }
)
_RETRY_SECONDS: Final = 1


class Refused(Exception):
    """A call that is refused, before or instead of a verifier's word; ``reason`` is one of those above."""

    def __init__(self, code: grpc.StatusCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def token_missing() -> Refused:
    """The call shows no token."""
    return Refused(_CODE.UNAUTHENTICATED, "TOKEN_MISSING")


def without_rule() -> Refused:
    """The method has no rule."""
    return Refused(_CODE.PERMISSION_DENIED, "METHOD_WITHOUT_RULE")


def undecided() -> Refused:
    """Something of the service's own failed, so nobody knows whether the call is allowed: it is not."""
    return Refused(_CODE.INTERNAL, "INTERNAL")


def status_of(fault: Refused | AuthClientError) -> grpc.Status:
    """The status that a call ends with: texts are constant, and never say anything of the token.

    UNAUTHENTICATED where another token may help, its reason the verdict, so that ``UserTokenInterceptor`` knows when to
    renew; PERMISSION_DENIED where none does; UNAVAILABLE while nobody can say, whatever the cause: that this service's
    own credential is refused is nothing to a user.
    """
    match fault:
        case TokenNotActive():
            code = _CODE.PERMISSION_DENIED if fault.error_code in _DENIED else _CODE.UNAUTHENTICATED
            return _status(code, fault.status, fault.message, error_code=str(fault.error_code))
        case Refused():
            return _status(fault.code, fault.reason, _TEXTS[fault.reason])
        case InvalidRequest():
            return _status(_CODE.INVALID_ARGUMENT, "INVALID_REQUEST", _TEXTS["INVALID_REQUEST"])
    reason = "STALE" if isinstance(fault, TrustStale) else "VERIFIER_UNAVAILABLE"
    return _status(_CODE.UNAVAILABLE, reason, _TEXTS[reason])


def _status(code: grpc.StatusCode, reason: str, text: str, **metadata: str) -> grpc.Status:
    info = error_details_pb2.ErrorInfo(domain=DOMAIN, reason=reason, metadata=metadata)
    details = [info]
    if code is _CODE.UNAVAILABLE:
        details.append(error_details_pb2.RetryInfo(retry_delay=Duration(seconds=_RETRY_SECONDS)))
    status = status_pb2.Status(code=code.value[0], message=f"{reason}: {text}", details=map(_packed, details))
    return rpc_status.to_status(status)


def _packed(detail: object) -> Packed:
    packed = Packed()
    packed.Pack(detail)  # type: ignore[arg-type]  # untyped: the package ships no stubs
    return packed
