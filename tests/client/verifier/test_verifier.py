"""Tokens are checked here as the service would check them, and what is revoked there is revoked here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from authsvc.client import AuthClient, TokenNotActive, TokenVerifier
from authsvc.clock import system_clock
from authsvc.model import Algorithm, ApiKey, AuditEvent, UserId
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer
from tests.rpc.surface import eventually

DEV = ApiKey("dev")


@pytest.fixture
def client(server: RunningServer) -> Iterator[AuthClient]:
    with AuthClient(server.target, server.credential) as client:
        yield client


@pytest.fixture
def verifier(server: RunningServer, client: AuthClient) -> Iterator[TokenVerifier]:
    """A verifier of the app ``dev`` whose clock is the server's."""
    with TokenVerifier(client, "dev", clock=server.clock) as verifier:
        yield verifier


def issue(client: AuthClient, api_key: str = "dev", **fields: object) -> str:
    user = pb.User(id="sara", role="admin")
    return client.issue_token(pb.IssueTokenRequest(api_key=api_key, user=user, **fields)).token  # type: ignore[arg-type]


def status_of(verifier: TokenVerifier, token: str, **questions: object) -> str:
    try:
        verifier.verify(token, **questions)  # type: ignore[arg-type]
    except TokenNotActive as refused:
        return refused.status
    return "ACTIVE"


def event() -> AuditEvent:
    return AuditEvent(system_clock(), "test", "test", "dev", "", "done")


def test_a_good_token_says_what_the_service_says_of_it(client: AuthClient, verifier: TokenVerifier) -> None:
    """User, role, ids and moments are those of the service's answer; the second look gives the same thing again."""
    token = issue(client)
    checked = verifier.verify(token)
    info = client.validate_token(pb.ValidateTokenRequest(api_key="dev", token=token)).info
    assert (checked.user_id, checked.role, checked.token_id, checked.key_id) == (
        info.user.id,
        info.user.role,
        info.token_id,
        info.key_id,
    )
    assert checked.expires_at is not None
    assert int(checked.expires_at.timestamp()) == info.expires_at.seconds
    assert verifier.verify(token) is checked


def test_what_is_revoked_is_refused(server: RunningServer, client: AuthClient, verifier: TokenVerifier) -> None:
    """A user's tokens, remembered or not, end here when they end there; another user's do not."""
    token, other = issue(client), issue(client)
    assert [status_of(verifier, each) for each in (token, other, token)] == ["ACTIVE"] * 3
    server.domain.store.raise_watermark(DEV, UserId("sara"), event())
    assert eventually(lambda: status_of(verifier, token), "REVOKED".__eq__) == "REVOKED"
    assert status_of(verifier, issue(client)) == "ACTIVE", "minted afterwards"


def test_questions_are_answered(client: AuthClient, verifier: TokenVerifier) -> None:
    """A role, an audience, a cid: as the service answers them."""
    token = issue(client, scope=pb.TokenScope(call_cids=["default:1"]))
    assert status_of(verifier, token) == "SCOPE_DENIED"
    assert status_of(verifier, token, call_cid="default:1") == "ACTIVE"
    assert status_of(verifier, token, call_cid="default:2") == "SCOPE_DENIED"
    plain = issue(client)
    assert status_of(verifier, plain, any_role_of=["editor"]) == "ROLE_DENIED"
    assert status_of(verifier, plain, audience="another") == "AUDIENCE_MISMATCH"


def test_apps_that_sign_with_a_secret_are_asked_about(server: RunningServer, client: AuthClient) -> None:
    """Their secret is never sent: the service answers, and its answer is remembered until something is heard."""
    server.new_app("hmac", algorithm=Algorithm.HS256)
    token = issue(client, "hmac")
    with TokenVerifier(client, "hmac", clock=server.clock) as verifier:
        first = verifier.verify(token)
        assert (first.user_id, first.algorithm) == ("sara", "HS256")
        assert verifier.verify(token) is first
        server.domain.store.raise_watermark(ApiKey("hmac"), UserId("sara"), event())
        assert eventually(lambda: status_of(verifier, token), "REVOKED".__eq__) == "REVOKED"
