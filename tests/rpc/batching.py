"""Batches as callers make them, and a server whose items do what a test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

import grpc
import pytest
from google.rpc import status_pb2
from grpc_status import rpc_status

from authsvc.app.composition import Domain
from authsvc.clock import system_clock, system_randomness
from authsvc.model import Principal, TokenStatus
from authsvc.rpc.auth_servicer import AuthServicer
from authsvc.rpc.batches import Batches
from authsvc.rpc.explanations import Explanations
from authsvc.rpc.limits import Limits
from authsvc.rpc.remembered import RememberedAnswers
from authsvc.rpc.server import RpcServer
from authsvc.tokens.requests import ValidateRequest
from authsvc.v1 import auth_pb2 as pb
from authsvc.verify.verdict import Verdict
from tests.conftest import RunningServer
from tests.rpc.surface import Metadata, surface_of


def issue_all(
    server: RunningServer,
    items: Sequence[pb.IssueTokenRequest],
    *,
    api_key: str = "dev",
    metadata: Metadata | None = None,
) -> list[pb.BatchIssueTokensResult]:
    """The results of a batch."""
    batch = pb.BatchIssueTokensRequest(api_key=api_key, requests=items)
    answer = server.auth().BatchIssueTokens(batch, metadata=metadata or server.metadata, timeout=30)
    return list(answer.results)


def validate_all(
    server: RunningServer,
    items: Sequence[pb.ValidateTokenRequest],
    *,
    api_key: str = "dev",
    metadata: Metadata | None = None,
) -> list[pb.BatchValidateTokensResult]:
    """The results of a batch."""
    batch = pb.BatchValidateTokensRequest(api_key=api_key, requests=items)
    answer = server.auth().BatchValidateTokens(batch, metadata=metadata or server.metadata, timeout=30)
    return list(answer.results)


def status_of_call(call: Callable[[], object]) -> status_pb2.Status:
    """The whole status that a call of its own is refused with; fails where it is not."""
    with pytest.raises(grpc.RpcError) as refused:
        call()
    error: BaseException = refused.value
    assert isinstance(error, grpc.Call)
    status = rpc_status.from_call(error)
    assert status is not None
    return status


def some_tokens(number: int) -> list[pb.ValidateTokenRequest]:
    """So many items that cost nothing to judge."""
    return [pb.ValidateTokenRequest(token="x")] * number


class Scripted:
    """A validation that breaks, or waits, at the items whose token says so, and finds all others malformed."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.released = threading.Event()

    def arrival(self) -> int:
        """Nothing is looked at."""
        return 0

    def validate(self, _: Principal, request: ValidateRequest, **__: object) -> Verdict:
        """Do what the token says."""
        if request.token == "break":
            raise RuntimeError("SELECT canary-words")
        if request.token == "wait":
            self.entered.set()
            assert self.released.wait(30)
        return Verdict(TokenStatus.MALFORMED)

    def lasts_until(self, _: Verdict) -> float | None:
        """Nothing it says is remembered."""
        return None

    def build(self, limits: Limits) -> Callable[[Domain], RpcServer]:
        """Makes a server that validates so."""

        def build(domain: Domain) -> RpcServer:
            batches = Batches(Explanations(domain.logs.get_logger("rpc"), system_randomness))
            nothing = cast(Any, None)
            answers = RememberedAnswers(lambda: 0, domain.freshness, system_clock)
            auth = AuthServicer(nothing, nothing, cast(Any, self), nothing, nothing, batches, answers, nothing, nothing)
            return RpcServer(surface_of(domain, auth), domain.logs, system_randomness, limits, domain.metrics)

        return build
