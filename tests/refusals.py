"""What a caller can read from a refusal: the status and its details, decoded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status


@dataclass(frozen=True)
class Refusal:
    """A status with its ``ErrorInfo`` and the fields that ``BadRequest`` names, in their order."""

    code: grpc.StatusCode
    reason: str
    text: str
    metadata: Mapping[str, str]
    fields: tuple[str, ...]


def refusal_of(call: Callable[[], object]) -> Refusal:
    """How the call was refused; fails the test when it was not."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return read_refusal(raised.value)


def read_refusal(error: BaseException) -> Refusal:
    """Decode what the client's library raised."""
    assert isinstance(error, grpc.Call)
    status = rpc_status.from_call(error)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details if status is not None else ():
        detail.Unpack(info)
        detail.Unpack(bad)
    fields = tuple(violation.field for violation in bad.field_violations)
    return Refusal(error.code(), info.reason, error.details() or "", dict(info.metadata), fields)
