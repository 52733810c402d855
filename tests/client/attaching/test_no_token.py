"""What a call ends with that has no token: what the reason is, and never as if the peer had said it."""

from __future__ import annotations

import asyncio

import grpc
import grpc.aio
import pytest

from authsvc.client import (
    AsyncUserClient,
    AuthClientError,
    DeadlineExceeded,
    Exhausted,
    Failure,
    Internal,
    NotFound,
    NoToken,
    PermissionDenied,
    PreconditionFailed,
    RefreshRefused,
    Unauthenticated,
    Unavailable,
    UserClient,
)
from authsvc.client.attaching.details import code_of
from authsvc.client.tokens import faults
from tests.client.attaching.calling import awaited_call, call
from tests.client.attaching.peer import running_peer
from tests.client.tokens.made import Machine, living
from tests.conftest import HandClock

PASSING: list[tuple[Exception, str]] = [
    (kind(Failure(code, code, "")), code)
    for kind, code in (
        (Unavailable, "UNAVAILABLE"),
        (DeadlineExceeded, "DEADLINE_EXCEEDED"),
        (Exhausted, "RESOURCE_EXHAUSTED"),
        (Internal, "INTERNAL"),
        (AuthClientError, "UNKNOWN"),
    )
]
OF_THE_TOKEN: list[tuple[Exception, str]] = [
    (faults.ProviderFailed.saying(""), "UNAVAILABLE"),
    (faults.TokenTimeout.saying(""), "DEADLINE_EXCEEDED"),
    (faults.UserChanged.saying(""), "CANCELLED"),
    (faults.NoUser.saying(""), "UNAUTHENTICATED"),
    (faults.SignInRequired.saying(""), "UNAUTHENTICATED"),
]
LASTING: list[tuple[Exception, str]] = [
    (kind(Failure(code, code, "")), "UNAUTHENTICATED")
    for kind, code in (
        (PermissionDenied, "PERMISSION_DENIED"),
        (Unauthenticated, "UNAUTHENTICATED"),
        (NotFound, "NOT_FOUND"),
        (RefreshRefused, "FAILED_PRECONDITION"),
        (PreconditionFailed, "FAILED_PRECONDITION"),
    )
]


@pytest.mark.parametrize(
    ("error", "code"),
    [*PASSING, *OF_THE_TOKEN, *LASTING],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else None,
)
def test_the_code_follows_the_cause(error: Exception, code: str) -> None:
    """Its own where it may pass or is about the token; a refusal of this program by the service is not the peer's."""
    assert code_of(error) is grpc.StatusCode[code]
    assert NoToken(error).code() is grpc.StatusCode[code]


def test_a_service_that_is_down_is_unavailable(clock: HandClock) -> None:
    """Also for calls of a user who could not be connected for that: a repeat may succeed."""
    machine = Machine(clock)
    options = {**machine.parts, "token": living(clock), "credential": "ask1_x", "max_connect_user_retries": 0}

    async def awaited(target: str) -> None:
        async with (
            AsyncUserClient("127.0.0.1:1", "dev", "sara", **options) as client,
            grpc.aio.insecure_channel(target, interceptors=client.interceptors()) as channel,
        ):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await awaited_call(channel, "UnaryUnary", [b"one"])
            assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
            assert isinstance(raised.value.__cause__, Unavailable)

    with running_peer() as peer, grpc.insecure_channel(peer.target) as channel:
        with UserClient("127.0.0.1:1", "dev", "sara", **options, spawn=machine.spawn) as client:
            with pytest.raises(NoToken) as raised:
                call(client.intercept(channel), "UnaryUnary", [b"one"])
            assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
            assert isinstance(raised.value.__cause__, Unavailable)
        asyncio.run(asyncio.wait_for(awaited(peer.target), 30))
        assert peer.shown == []
