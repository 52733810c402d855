"""What a peer's answer says about the user's token: from the end of a call to a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from authsvc.client.status import DOMAIN
from authsvc.client.tokens.renewal import RENEWED_ON
from authsvc.model import TokenStatus

EXPIRED_CODE = "40"
"""What clients of the seed systems switch on: expired or revoked, ask your provider."""
ERROR_CODE_KEYS = ("error_code", "error-code")


def refusal_of(call: Any) -> TokenStatus | None:
    """The verdict for which a call that ended was refused, where another token helps against it; else None.

    ``call`` has ``code``, ``details`` and ``trailing_metadata``. The peer says UNAUTHENTICATED, and why: by
    ``ErrorInfo`` of the domain ``authsvc`` whose reason is a verdict (``EXPIRED``, also ``TOKEN_EXPIRED``), or by
    ``error_code`` 40 in the metadata of any ``ErrorInfo`` or in the trailers.
    """
    if call.code() is not grpc.StatusCode.UNAUTHENTICATED:
        return None
    for info in _infos(call):
        status = _verdict(info.reason) if info.domain == DOMAIN else None
        if status is not None:
            return status if status in RENEWED_ON else None
        if info.metadata.get("error_code") == EXPIRED_CODE:
            return TokenStatus.EXPIRED
    trailers = call.trailing_metadata() or ()
    told = any(key in ERROR_CODE_KEYS and value == EXPIRED_CODE for key, value in trailers)
    return TokenStatus.EXPIRED if told else None


def _verdict(reason: str) -> TokenStatus | None:
    for name in (reason, reason.removeprefix("TOKEN_STATUS_"), reason.removeprefix("TOKEN_")):
        if name in TokenStatus.__members__:
            return TokenStatus(name)
    return None


def _infos(call: Any) -> Iterable[Any]:
    try:
        status = rpc_status.from_call(call)
        for detail in status.details if status is not None else ():
            info = error_details_pb2.ErrorInfo()  # untyped: the package ships no stubs
            if detail.Unpack(info):
                yield info
    except (ValueError, DecodeError):  # trailers that contradict the status, or that someone on the way has cut
        return
