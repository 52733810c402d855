"""Both ends of a call are ours: what the service's interceptor refuses, the caller's renews, when that helps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from authsvc.client import AuthClient, Rule, TokenNotActive, TokenVerifier
from authsvc.v1 import admin_pb2
from authsvc.v1 import auth_pb2 as pb
from tests.client.attaching.calling import KINDS_OF_CHANNEL, Calling
from tests.client.guarding.shop import KINDS, Serve, Shopper
from tests.client.tokens.made import Machine
from tests.conftest import HandClock, RunningServer
from tests.rpc.surface import eventually

RULES = {"/peer.Echo/*": Rule(), "/shop.Orders/*": Rule()}
ANSWERS = {
    "UnaryUnary": [b"sara one"],
    "UnaryStream": [b"sara", b"sara one"],
    "StreamUnary": [b"sara one two three"],
    "StreamStream": [b"sara one", b"sara two", b"sara three"],
}


@dataclass
class Sara:
    """A user with a session, whose provider counts what it is asked for."""

    server: RunningServer
    client: AuthClient
    loads: int = 0

    def begin(self) -> pb.IssueTokenResponse:
        """The token she has."""
        request = pb.IssueTokenRequest(api_key="dev", user=pb.User(id="sara"), refreshable=True)
        return self.client.issue_token(request)

    def provider(self, user_id: str) -> str:
        """What her backend gives her next."""
        self.loads += 1
        return self.client.issue_token(pb.IssueTokenRequest(api_key="dev", user=pb.User(id=user_id))).token


def expire(sara: Sara, _: pb.IssueTokenResponse) -> None:
    sara.server.clock.move(hours=2)


def revoke(sara: Sara, _: pb.IssueTokenResponse) -> None:
    sara.client.revoke_tokens(pb.RevokeTokensRequest(api_key="dev", user_id="sara"))


def end_the_session(sara: Sara, first: pb.IssueTokenResponse) -> None:
    sara.client.revoke_tokens(pb.RevokeTokensRequest(api_key="dev", session_id=first.info.session_id))


def revoke_the_key(sara: Sara, first: pb.IssueTokenResponse) -> None:
    sara.client.admin.rotate_key(admin_pb2.RotateKeyRequest(api_key="dev", now=True))
    sara.client.admin.revoke_key(admin_pb2.RevokeKeyRequest(api_key="dev", key_id=first.info.key_id))


ENDS: dict[str, Callable[[Sara, pb.IssueTokenResponse], None]] = {
    "EXPIRED": expire,
    "REVOKED": revoke,
    "SESSION_REVOKED": end_the_session,
    "KEY_REVOKED": revoke_the_key,
}


@pytest.fixture
def target(serve: Serve, server: RunningServer) -> Iterator[str]:
    """Where the shop is."""
    with serve(server, RULES) as target:
        yield target


@pytest.fixture(params=KINDS_OF_CHANNEL)
def calling(request: pytest.FixtureRequest, target: str) -> Calling:
    """Calls it with the user's interceptor."""
    return KINDS_OF_CHANNEL[request.param](target)


@pytest.fixture
def sara(server: RunningServer, client: AuthClient) -> Sara:
    """A user."""
    return Sara(server, client)


def parts(clock: HandClock) -> dict[str, Any]:
    """What her manager takes: a clock that stays behind, so that only a refusal tells it of the end."""
    return Machine(HandClock(clock())).parts


def _ended(target: str, token: str) -> Callable[[], bool]:
    def look() -> bool:
        with grpc.insecure_channel(target) as channel:
            try:
                Shopper(channel)("Orders", token)
            except grpc.RpcError:
                return True
        return False

    return look


@pytest.mark.parametrize("reason", ENDS)
def test_a_call_goes_on_with_the_next_token(
    reason: str, calling: Calling, sara: Sara, target: str, server: RunningServer
) -> None:
    """Whatever ended the old one: methods of every kind answer, and one token is asked for each time."""
    for number, kind in enumerate(KINDS, start=1):
        first, manager = sara.begin(), parts(server.clock)
        ENDS[reason](sara, first)
        assert eventually(_ended(target, first.token), bool)
        assert calling.make(kind, "sara", sara.provider, token=first.token, **manager) == ANSWERS[kind]
        assert sara.loads == number


def test_the_reason_is_the_verdict(sara: Sara, client: AuthClient, server: RunningServer) -> None:
    """The four above are what the verifier says, and not one word for all of them."""
    for reason, end in ENDS.items():
        first = sara.begin()
        end(sara, first)

        def verdict(token: str = first.token) -> str:
            try:
                verifier.verify(token)
            except TokenNotActive as refused:
                return refused.status
            return "ACTIVE"

        with TokenVerifier(client, "dev", clock=server.clock) as verifier:
            assert eventually(verdict, reason.__eq__) == reason


def test_a_forged_token_is_not_renewed(calling: Calling, sara: Sara, server: RunningServer) -> None:
    """After a bad signature the next token would be as bad: nobody is asked for one."""
    token = sara.begin().token
    forged = token[:-8] + ("A" * 8 if not token.endswith("A" * 8) else "B" * 8)
    with pytest.raises(grpc.RpcError) as raised:
        calling.make("UnaryUnary", "sara", sara.provider, token=forged, **parts(server.clock))
    assert "SIGNATURE_INVALID" in str(raised.value)
    assert sara.loads == 0
