"""Two servers on one store, and a third process that changes it: each knows what the others did."""

from __future__ import annotations

import secrets

import grpc
import pytest

from authsvc.model import SessionId, TokenId, session_id_of
from authsvc.v1 import admin_pb2, auth_pb2
from tests.following.pair import DEV, Pair, Peer, an_event, reason_of
from tests.rpc.surface import eventually

STRONG = auth_pb2.CONSISTENCY_STRONG


def a_user() -> str:
    """Somebody new: the servers are shared."""
    return f"user-{secrets.token_hex(8)}"


def session_of(issued: auth_pb2.IssueTokenResponse) -> SessionId:
    session_id = session_id_of(issued.info.session_id)
    assert session_id is not None
    return session_id


def becomes(peer: Peer, token: str, status: str) -> bool:
    """Whether what a server says of a token from memory becomes that, while nobody else makes it look."""
    return eventually(lambda: peer.status(token), lambda seen: seen == status) == status


@pytest.mark.parametrize("target", ["user", "session", "token"])
def test_a_revocation_arrives_by_itself(pair: Pair, target: str) -> None:
    """What another process revoked is seen by CACHED validation in both servers, and others' tokens live on."""
    user = a_user()
    issued, spared = pair.peers[0].issue(user, refreshable=True), pair.peers[0].issue(a_user())
    assert [peer.status(issued.token) for peer in pair.peers] == ["ACTIVE"] * 2
    if target == "user":
        pair.revoke(user)
    elif target == "session":
        assert pair.store.revoke_session(session_of(issued), "logout", an_event())
    else:
        pair.store.revoke_token(DEV, TokenId(issued.info.token_id), None, an_event())
    expected = "SESSION_REVOKED" if target == "session" else "REVOKED"
    for peer in pair.peers:
        assert becomes(peer, issued.token, expected)
        assert peer.status(spared.token) == "ACTIVE"


def test_strong_sees_it_at_once(pair: Pair) -> None:
    """When a revocation was acknowledged, wherever that was, the next STRONG validation in each server knows it."""
    for _ in range(20):
        user = a_user()
        token = pair.peers[0].issue(user).token
        pair.revoke(user)
        assert [peer.status(token, consistency=STRONG) for peer in pair.peers] == ["REVOKED"] * 2


def test_who_names_a_revision_is_answered_with_it(pair: Pair) -> None:
    """With the revision of a revocation CACHED validation knows it at once, and what is issued after it outlives it."""
    for _ in range(20):
        user = a_user()
        old = pair.peers[0].issue(user).token
        revision = pair.revoke(user)
        for peer in pair.peers:
            assert peer.status(old, after_revision=revision) == "REVOKED"
        news = [peer.issue(user, after_revision=revision).token for peer in pair.peers]
        assert [peer.status(new, consistency=STRONG) for peer in pair.peers for new in news] == ["ACTIVE"] * 4


def test_who_revokes_and_issues_at_one_server_gets_a_token_that_lives(pair: Pair) -> None:
    """No revision is needed there, also where others have committed in between."""
    first = pair.peers[0]
    for _ in range(20):
        user = a_user()
        pair.revoke(a_user())
        request = auth_pb2.RevokeTokensRequest(api_key=DEV, user_id=user)
        first.auth.RevokeTokens(request, metadata=first.metadata, timeout=10)
        token = first.issue(user).token
        assert [peer.status(token, consistency=STRONG) for peer in pair.peers] == ["ACTIVE"] * 2


def test_a_revision_that_is_not_there_is_not_waited_for_long(pair: Pair) -> None:
    """A number that no change has had is answered with STALE, in time."""
    for call in (
        lambda: pair.peers[0].issue(after_revision=2**40),
        lambda: pair.peers[0].status("x", after_revision=2**40),
    ):
        with pytest.raises(grpc.RpcError) as raised:
            call()
        assert reason_of(raised.value) == "STALE"


def test_an_app_of_one_server_is_known_to_the_other(pair: Pair) -> None:
    """Who makes an app here and uses it there need not wait for notifications: what is not known is looked for."""
    first, second = pair.peers
    name = f"app-{secrets.token_hex(8)}"
    first.admin.CreateApp(admin_pb2.CreateAppRequest(api_key=name), metadata=first.metadata, timeout=10)
    token = eventually(lambda: _issued(second, name), bool)
    assert first.status(token, api_key=name) == second.status(token, api_key=name) == "ACTIVE"


def test_an_account_made_here_calls_there_and_one_disabled_here_does_not(pair: Pair) -> None:
    """A new credential is let in by the other server, and an account that was disabled is refused by it."""
    first, second = pair.peers
    request = admin_pb2.CreateServiceAccountRequest(name=a_user(), permissions=["tokens.validate"], all_apps=True)
    made = first.admin.CreateServiceAccount(request, metadata=first.metadata, timeout=10)
    metadata = (("authorization", f"Bearer {made.credential}"),)
    assert eventually(lambda: _refusal(second, metadata), lambda seen: not seen) == ""
    disable = admin_pb2.DisableServiceAccountRequest(id=made.service_account.id)
    first.admin.DisableServiceAccount(disable, metadata=first.metadata, timeout=10)
    assert eventually(lambda: _refusal(second, metadata), bool) == "CREDENTIAL_INVALID"
    assert _refusal(first, metadata) == "CREDENTIAL_INVALID"


def test_a_session_goes_on_in_either_server(pair: Pair) -> None:
    """A chain of refresh tokens is one, whichever server turns it: both make them under the same key."""
    first, second = pair.peers
    token = first.issue(a_user(), refreshable=True).refresh_token
    for peer in (second, first, second):
        request = auth_pb2.RefreshTokenRequest(refresh_token=token)
        answer = peer.auth.RefreshToken(request, metadata=peer.metadata, timeout=10)
        assert answer.outcome == auth_pb2.REFRESH_OUTCOME_ROTATED
        token = answer.refresh_token


def _issued(peer: Peer, api_key: str) -> str:
    """A token of an app; empty when the server says that there is none."""
    try:
        return peer.issue(api_key=api_key).token
    except grpc.RpcError as error:
        if reason_of(error) != "APP_NOT_FOUND":
            raise
        return ""


def _refusal(peer: Peer, metadata: object) -> str:
    try:
        peer.status("x", metadata=metadata)
    except grpc.RpcError as error:
        return reason_of(error)
    return ""
