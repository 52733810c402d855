"""RevokeTokens and ConfigureLogging on one server, seen by the other, on each kind of store."""

from __future__ import annotations

import secrets
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from authsvc.v1 import admin_pb2, auth_pb2
from tests.following.pair import DEV, Pair, Peer, reason_of
from tests.rpc.surface import eventually

FIELDS = ("user_id", "session_id", "token", "token_id", "refresh_token")


def a_session(peer: Peer) -> auth_pb2.IssueTokenResponse:
    """The session of somebody new: the servers are shared."""
    return peer.issue(f"user-{secrets.token_hex(8)}", refreshable=True)


def target_of(field: str, issued: auth_pb2.IssueTokenResponse) -> dict[str, str]:
    """What names a token, or what it belongs to, in that field."""
    texts = {"token": issued.token, "refresh_token": issued.refresh_token, "user_id": issued.info.user.id}
    return {field: texts.get(field) or getattr(issued.info, field)}


def revoke(peer: Peer, **target: Any) -> int:
    request = auth_pb2.RevokeTokensRequest(api_key=DEV, **target)
    return peer.auth.RevokeTokens(request, metadata=peer.metadata, timeout=10).revision


def status_after(peer: Peer, token: str, revision: int) -> str:
    """What a server says of a token once it has seen the revision; one that is very busy is asked again."""

    def ask() -> str:
        try:
            return peer.status(token, after_revision=revision)
        except grpc.RpcError as error:
            return reason_of(error)

    return eventually(ask, lambda seen: seen not in ("STALE", "DEADLINE_EXCEEDED"))


def refresh_outcome(peer: Peer, refresh_token: str) -> str:
    """OK, or why not."""
    try:
        request = auth_pb2.RefreshTokenRequest(refresh_token=refresh_token)
        peer.auth.RefreshToken(request, metadata=peer.metadata, timeout=10)
    except grpc.RpcError as error:
        return reason_of(error)
    return "OK"


@pytest.mark.parametrize("field", FIELDS)
def test_what_one_server_ended_has_ended_in_the_other(pair: Pair, field: str) -> None:
    """At once for whoever names the revision of the answer, and for refreshing whoever asks."""
    first, second = pair.peers
    for _ in range(10):
        issued = a_session(first)
        revision = revoke(first, **target_of(field, issued))
        assert status_after(second, issued.token, revision) in ("REVOKED", "SESSION_REVOKED")
        ended = "OK" if field in ("token", "token_id") else "SESSION_REVOKED"
        assert refresh_outcome(second, issued.refresh_token) == ended


@pytest.mark.parametrize("field", FIELDS)
def test_ending_it_again_in_the_other_names_a_revision_that_has_it(pair: Pair, field: str) -> None:
    """Also where nothing is left to do: the revision is one after which no server says that the token is good."""
    first, second = pair.peers
    for _ in range(10):
        issued = a_session(first)
        revoke(first, **target_of(field, issued))
        revision = revoke(second, **target_of(field, issued))
        for peer in pair.peers:
            assert status_after(peer, issued.token, revision) in ("REVOKED", "SESSION_REVOKED")


def test_the_whole_app_in_one_step(pair: Pair) -> None:
    """Tokens and sessions of both servers end, and what either issues afterwards is good."""
    sessions = [a_session(peer) for peer in pair.peers for _ in range(3)]
    revision = revoke(pair.peers[0], all_users=True)
    for peer in pair.peers:
        assert {status_after(peer, issued.token, revision) for issued in sessions} == {"REVOKED"}
        assert {refresh_outcome(peer, issued.refresh_token) for issued in sessions} == {"SESSION_REVOKED"}
        again = peer.issue(after_revision=revision)
        assert [status_after(other, again.token, revision) for other in pair.peers] == ["ACTIVE"] * 2


def test_taking_it_back_reaches_the_other(pair: Pair) -> None:
    """A token that was cleared in one server is good in the other too: at once for who asks after that revision."""
    first, second = pair.peers
    issued = a_session(first)
    assert status_after(second, issued.token, revoke(first, token=issued.token)) == "REVOKED"
    request = admin_pb2.ClearRevocationRequest(api_key=DEV, token_id=issued.info.token_id)
    answer = first.admin.ClearRevocation(request, metadata=first.metadata, timeout=10)
    assert answer.cleared
    assert [status_after(peer, issued.token, answer.revision) for peer in (second, first)] == ["ACTIVE"] * 2
    again = first.admin.ClearRevocation(request, metadata=first.metadata, timeout=10)
    assert (again.cleared, again.revision) == (False, 0)


def test_both_list_the_same(pair: Pair) -> None:
    """Sessions, revocations and the audit are the store's, whichever server is asked."""
    first, second = pair.peers
    issued = a_session(first)
    user = issued.info.user.id
    revoke(second, user_id=user)
    for peer in pair.peers:
        asked = auth_pb2.ListSessionsRequest(api_key=DEV, user_id=user, include_ended=True)
        (session,) = peer.auth.ListSessions(asked, metadata=peer.metadata, timeout=10).sessions
        assert (session.session_id, session.state) == (issued.info.session_id, auth_pb2.SESSION_STATE_REVOKED)
        wanted = admin_pb2.ListRevocationsRequest(api_key=DEV, user_id=user)
        (revocation,) = peer.admin.ListRevocations(wanted, metadata=peer.metadata, timeout=10).revocations
        assert (revocation.user_id, revocation.HasField("tokens_revoked_at")) == (user, True)
        question = admin_pb2.ListAuditEventsRequest(subject=user)
        (event,) = peer.admin.ListAuditEvents(question, metadata=peer.metadata, timeout=10).audit_events
        assert (event.action, event.revision) == ("user.revoked", revocation.revision)


def level_of(peer: Peer, scope: str) -> str:
    """What the server says that the scope writes from."""
    answer = peer.admin.GetLogging(admin_pb2.GetLoggingRequest(), metadata=peer.metadata, timeout=10)
    return next(each.level for each in answer.scopes if each.scope == scope)


def test_log_levels_reach_every_worker_and_end_in_each(pair: Pair) -> None:
    """What one server was told holds in the other too, by itself, and ends there when its time is over."""
    first, second = pair.peers
    before = level_of(second, "sessions")
    request = admin_pb2.ConfigureLoggingRequest(
        levels=[admin_pb2.ScopeLevel(scope="sessions", level="trace")], duration=Duration(seconds=2)
    )
    first.admin.ConfigureLogging(request, metadata=first.metadata, timeout=10)
    assert level_of(first, "sessions") == "trace" != before
    assert eventually(lambda: level_of(second, "sessions"), lambda seen: seen == "trace") == "trace"
    for peer in pair.peers:
        assert eventually(lambda peer=peer: level_of(peer, "sessions"), lambda seen: seen == before) == before  # type: ignore[misc]
