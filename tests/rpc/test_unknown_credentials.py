"""Credentials that nobody is known to have: the store is looked at once, off the serving thread, and seldom."""

from __future__ import annotations

import threading
from typing import Any

import grpc
import pytest

from authsvc.accounts.credentials import new_account_id, new_credential
from authsvc.app.composition import Domain, build_server
from authsvc.clock import system_randomness
from authsvc.errors import Reason, Unavailable
from authsvc.rpc.limits import Limits
from authsvc.rpc.server import RpcServer
from authsvc.v1 import auth_pb2
from tests.conftest import RunningServer, StartServer
from tests.rpc.http2 import connected
from tests.rpc.surface import REFLECTION, VALIDATE, Metadata, answered, bearer
from tests.trust.ticks import Ticks

NONSENSE = b"\xff\xff\xff"


@pytest.fixture
def ticks() -> Ticks:
    """A monotonic clock that is moved by hand: no interval ends by itself."""
    return Ticks()


@pytest.fixture
def server(start_server: StartServer, ticks: Ticks) -> RunningServer:
    """A server whose view does not move by itself."""
    return start_server(monotonic=ticks)


@pytest.fixture
def other(server: RunningServer, start_server: StartServer) -> RunningServer:
    """Another server on the same store, which makes accounts that the first does not know yet."""
    del server
    return start_server()


def made_elsewhere(other: RunningServer, name: str = "new", **profile: Any) -> Metadata:
    """The credential of an account that another worker has just made."""
    return bearer(other.new_credential(name, **{"permissions": ("tokens.validate",), "all_apps": True, **profile}))


def validate(server: RunningServer, metadata: Metadata) -> auth_pb2.ValidateTokenResponse:
    request = auth_pb2.ValidateTokenRequest(api_key="dev", token="x")
    return server.auth().ValidateToken(request, metadata=metadata, timeout=10)


def reason(server: RunningServer, metadata: Metadata, path: str = VALIDATE, body: bytes = NONSENSE) -> str:
    with connected(server.target) as connection:
        return answered(connection, path, metadata, body).reason


def test_an_account_that_was_made_elsewhere_is_let_in_at_once(server: RunningServer, other: RunningServer) -> None:
    """Its first call finds it, without anybody having told this worker."""
    credential = made_elsewhere(other)
    assert validate(server, credential).status == auth_pb2.TOKEN_STATUS_MALFORMED


def test_a_credential_that_was_added_elsewhere_is_let_in_at_once(server: RunningServer, other: RunningServer) -> None:
    """The account is known, its new credential is not yet."""
    made = other.domain.accounts.recover("all", "test")
    assert validate(server, bearer(made.credential.text)).status == auth_pb2.TOKEN_STATUS_MALFORMED


def test_its_permission_and_its_places_are_judged_all_the_same(start_server: StartServer, ticks: Ticks) -> None:
    """A call that is let in late passes everything that one passes that is let in at once."""
    server, other = start_server(monotonic=ticks, limits=Limits(in_flight_principal=0)), start_server()
    assert reason(server, made_elsewhere(other, "a")) == "RATE_LIMITED"
    ticks.move(1)
    assert reason(server, made_elsewhere(other, "b", permissions=("tokens.issue",))) == "PERMISSION_MISSING"
    ticks.move(1)
    assert reason(server, made_elsewhere(other, "c"), "/authsvc.v1.AuthService/Nothing") == "METHOD_UNKNOWN"


@pytest.mark.parametrize("path", REFLECTION)
def test_streams_are_let_in_too(start_server: StartServer, other: RunningServer, path: str) -> None:
    """The same for a call that lasts."""
    server = start_server(dev=False, build=_with_reflection)
    assert reason(server, made_elsewhere(other), path, b"\x3a\x00") == ""
    assert reason(server, bearer("ask1_wrong"), path, b"\x3a\x00") == "CREDENTIAL_INVALID"


def test_between_two_looks_the_answer_comes_from_memory(
    server: RunningServer, other: RunningServer, ticks: Ticks
) -> None:
    """A flood of credentials that nobody has costs the store four looks a second; one of a wrong form costs none."""
    looks = server.domain.follower.looks
    before = looks.begun
    assert reason(server, bearer("ask1_wrong")) == "CREDENTIAL_INVALID"
    assert looks.begun == before
    assert [reason(server, forged()) for _ in range(5)] == ["CREDENTIAL_INVALID"] * 5
    assert looks.begun == before + 1
    late = made_elsewhere(other)
    assert reason(server, late) == "CREDENTIAL_INVALID"
    assert looks.begun == before + 1
    ticks.move(0.25)
    assert validate(server, late).status == auth_pb2.TOKEN_STATUS_MALFORMED
    assert looks.begun == before + 2


def test_the_serving_thread_never_waits_for_it(server: RunningServer, other: RunningServer) -> None:
    """While a look at the store lasts, calls of known callers come and are answered."""
    held, entered = threading.Event(), threading.Event()

    def look(_: object) -> None:
        entered.set()
        assert held.wait(20)
        raise Unavailable(Reason.STORE_UNAVAILABLE)

    server.domain.second_look._catch_up = look
    unknown = made_elsewhere(other)
    auth = server.auth()
    request = auth_pb2.ValidateTokenRequest(api_key="dev", token="x")
    waiting = auth.ValidateToken.future(request, metadata=unknown, timeout=20)
    assert entered.wait(20)
    assert validate(server, server.metadata).status == auth_pb2.TOKEN_STATUS_MALFORMED
    held.set()
    assert waiting.code() is grpc.StatusCode.UNAUTHENTICATED


def forged() -> Metadata:
    """A credential in its right form that nobody has."""
    return bearer(new_credential(new_account_id(system_randomness), system_randomness).text)


def _with_reflection(domain: Domain) -> RpcServer:
    return build_server(domain, dev=False, reflection=True)
