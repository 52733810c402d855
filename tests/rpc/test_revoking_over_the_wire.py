"""RevokeTokens and ListSessions over the wire: every field there and back, and what is present and what is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta
from functools import partial
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from authsvc.signing import base64url
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import HandClock, RunningServer
from tests.refusals import Refusal, refusal_of
from tests.rpc.surface import bearer

NOW = 1_795_176_000  # the seconds of the tests' clock


def issue(server: RunningServer, user: str = "sara", **fields: Any) -> pb.IssueTokenResponse:
    """A session's first tokens."""
    request = pb.IssueTokenRequest(api_key="dev", user=pb.User(id=user), refreshable=True, **fields)
    return server.auth().IssueToken(request, metadata=server.metadata)


def revoke(server: RunningServer, **fields: Any) -> int:
    """The revision that the revocation is answered with."""
    request = pb.RevokeTokensRequest(**{"api_key": "dev", **fields})
    return server.auth().RevokeTokens(request, metadata=server.metadata).revision


def status(server: RunningServer, token: str, **fields: Any) -> str:
    """What the service says of a token."""
    request = pb.ValidateTokenRequest(api_key="dev", token=token, **fields)
    return pb.TokenStatus.Name(server.auth().ValidateToken(request, metadata=server.metadata).status)[13:]


def targets(issued: pb.IssueTokenResponse) -> dict[str, Any]:
    """Each field of the target, with what stands for the token in it."""
    return {
        "user_id": issued.info.user.id,
        "session_id": issued.info.session_id,
        "token": issued.token,
        "token_id": issued.info.token_id,
        "refresh_token": issued.refresh_token,
        "all_users": True,
    }


FIELDS = ("user_id", "session_id", "token", "token_id", "refresh_token", "all_users")


@pytest.mark.parametrize("field", FIELDS)
def test_each_target_arrives(server: RunningServer, field: str) -> None:
    """The token is dead, and whoever asks for the revision of the answer is answered after it."""
    issued = issue(server)
    revision = revoke(server, **{field: targets(issued)[field]})
    assert revision > 0
    ended = "SESSION_REVOKED" if field in ("session_id", "refresh_token") else "REVOKED"
    assert status(server, issued.token, after_revision=revision) == ended
    assert status(server, issued.token, consistency=pb.CONSISTENCY_STRONG) == ended


@pytest.mark.parametrize("field", FIELDS)
def test_present_but_empty_is_refused(server: RunningServer, field: str) -> None:
    """Neither empty text nor false ends anything; the refusal names the field."""
    issued = issue(server)
    empty = False if field == "all_users" else ""
    refusal = refusal_of(partial(revoke, server, **{field: empty}))
    assert (refusal.code, refusal.fields) == (grpc.StatusCode.INVALID_ARGUMENT, (field,))
    assert status(server, issued.token) == "ACTIVE"


def test_without_a_target_nothing_is_ended(server: RunningServer) -> None:
    """An empty request is not everybody."""
    issued = issue(server)
    assert refusal_of(lambda: revoke(server)).fields == ("target",)
    assert status(server, issued.token) == "ACTIVE"


def test_a_moment_arrives_to_the_nanosecond(server: RunningServer, clock: HandClock) -> None:
    """What was issued before it is dead, and what is not a moment is refused with its field."""
    old = issue(server)
    clock.move(seconds=60)
    new = issue(server)
    assert int(clock().timestamp()) == NOW + 60
    revoke(server, user_id="sara", issued_before=Timestamp(seconds=NOW + 30, nanos=999_999_999))
    assert (status(server, old.token), status(server, new.token)) == ("REVOKED", "ACTIVE")
    for wrong in (Timestamp(seconds=2**62), Timestamp(seconds=NOW, nanos=-1), Timestamp(seconds=-1)):
        refusal = refusal_of(partial(revoke, server, user_id="sara", issued_before=wrong))
        assert refusal.fields == ("issued_before",)
    # Present and all zero is a moment too: the beginning of 1970, before which nothing was issued.
    assert revoke(server, all_users=True, issued_before=Timestamp()) > 0
    assert status(server, new.token) == "ACTIVE"


def test_each_promised_refusal_is_met(server: RunningServer) -> None:
    """The reasons of the method's comment, under their statuses."""
    server.new_app("other")
    narrow = bearer(server.new_credential("narrow", permissions=("tokens.revoke",), apps=("dev",)))
    lacking = bearer(server.new_credential("lacking", permissions=("tokens.validate",), all_apps=True))
    auth = server.auth()

    def asked(metadata: Any, **fields: Any) -> Refusal:
        request = pb.RevokeTokensRequest(**fields)
        return refusal_of(lambda: auth.RevokeTokens(request, metadata=metadata))

    met = [
        asked((), user_id="sara"),
        asked(bearer("ask1_wrong"), user_id="sara"),
        asked(lacking, api_key="dev", user_id="sara"),
        asked(narrow, api_key="other", user_id="sara"),
        asked(server.metadata, api_key="nowhere", user_id="sara"),
        asked(server.metadata, user_id="sara"),
        asked(server.metadata, api_key="dev", refresh_token="art1_x"),
    ]
    assert [(refusal.code.name, refusal.reason) for refusal in met] == [
        ("UNAUTHENTICATED", "CREDENTIAL_MISSING"),
        ("UNAUTHENTICATED", "CREDENTIAL_INVALID"),
        ("PERMISSION_DENIED", "PERMISSION_MISSING"),
        ("PERMISSION_DENIED", "APP_NOT_ALLOWED"),
        ("NOT_FOUND", "APP_NOT_FOUND"),
        ("INVALID_ARGUMENT", "INVALID_REQUEST"),
        ("FAILED_PRECONDITION", "REFRESH_TOKEN_INVALID"),
    ]
    request = pb.RevokeTokensRequest(user_id="sara")
    assert auth.RevokeTokens(request, metadata=narrow).revision > 0, "its only app needs no name"


def listed(server: RunningServer, *, caller: Any = None, **fields: Any) -> pb.ListSessionsResponse:
    """A page of sessions."""
    request = pb.ListSessionsRequest(**{"api_key": "dev", **fields})
    return server.auth().ListSessions(request, metadata=caller or server.metadata)


@pytest.mark.parametrize("request_id", ["", "a-request-that-may-come-again"])
def test_a_session_is_told_in_full(server: RunningServer, clock: HandClock, request_id: str) -> None:
    """Whom it is for, its limits, how far it has come, when it ends and who opened it."""
    opened_at = clock()
    scope = pb.TokenScope(call_cids=["default:a"], channel_cids=["messaging:b"])
    issued = issue(server, audience=["billing"], scope=scope, request_id=request_id)
    assert listed(server).sessions[0].refreshes == 0
    clock.move(minutes=5)
    request = pb.RefreshTokenRequest(refresh_token=issued.refresh_token, user=pb.User(name="Sara", role="admin"))
    server.auth().RefreshToken(request, metadata=server.metadata)
    (session,) = listed(server).sessions
    assert (session.session_id, session.kind) == (issued.info.session_id, pb.TOKEN_KIND_USER)
    assert (session.user.id, session.user.name, session.user.role) == ("sara", "Sara", "admin")
    assert (session.scope, list(session.audience)) == (scope, ["billing"])
    assert (session.state, session.refreshes) == (pb.SESSION_STATE_LIVE, 1)
    assert session.created_at.ToDatetime(UTC) == opened_at
    assert session.refreshed_at.ToDatetime(UTC) == clock()
    assert session.idle_expires_at.ToDatetime(UTC) == clock() + timedelta(days=14)
    assert session.absolute_expires_at.ToDatetime(UTC) == opened_at + timedelta(days=90)
    assert session.opened_by == server.account_id


ENDS: dict[str, tuple[Callable[[RunningServer, pb.IssueTokenResponse, HandClock], object], int]] = {
    "nothing": (lambda server, issued, clock: None, pb.SESSION_STATE_LIVE),
    "itself": (
        lambda server, issued, clock: revoke(server, session_id=issued.info.session_id),
        pb.SESSION_STATE_REVOKED,
    ),
    "its user": (lambda server, issued, clock: revoke(server, user_id="sara"), pb.SESSION_STATE_REVOKED),
    "its app": (lambda server, issued, clock: revoke(server, all_users=True), pb.SESSION_STATE_REVOKED),
    "time": (lambda server, issued, clock: clock.move(days=14), pb.SESSION_STATE_EXPIRED),
}


@pytest.mark.parametrize("by", ENDS)
def test_an_ended_session_shows_where_it_is_asked_for(server: RunningServer, clock: HandClock, by: str) -> None:
    """Live ones alone unless told otherwise, and each with how it ended."""
    end, state = ENDS[by]
    end(server, issue(server), clock)
    live = state == pb.SESSION_STATE_LIVE
    assert len(listed(server).sessions) == live
    assert [session.state for session in listed(server, include_ended=True).sessions] == [state]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_pages_hold_every_session_once(server: RunningServer, size: int) -> None:
    """By id, of that app and user alone, whatever the pages are cut to."""
    server.new_app("other")
    ids = sorted(issue(server).info.session_id for _ in range(5))
    issue(server, "tom")
    server.auth().IssueToken(
        pb.IssueTokenRequest(api_key="other", user=pb.User(id="sara"), refreshable=True), metadata=server.metadata
    )
    found: list[str] = []
    token = ""
    while True:
        page = listed(server, user_id="sara", page_size=size, page_token=token)
        assert 0 < len(page.sessions) <= size
        found += [session.session_id for session in page.sessions]
        token = page.next_page_token
        if not token:
            break
    assert found == ids


def test_a_page_token_is_for_its_question_and_its_caller(server: RunningServer) -> None:
    """With another user, another app, ended ones too, or from another service it is refused; page sizes are free."""
    server.new_app("other")
    for _ in range(3):
        issue(server)
    token = listed(server, page_size=1).next_page_token
    second = bearer(server.new_credential("second", permissions=("tokens.revoke",), all_apps=True))
    for changed in ({"user_id": "sara"}, {"api_key": "other"}, {"include_ended": True}, {"caller": second}):
        refusal = refusal_of(lambda changed=changed: listed(server, page_size=1, page_token=token, **changed))  # type: ignore[misc]
        assert refusal.fields == ("page_token",)
    assert len(listed(server, page_size=2, page_token=token).sessions) == 2


@pytest.mark.parametrize("place", ["", "nonsense", "0", "\0", "00112233-4455-6677-8899-AABBCCDDEEFF"])
def test_a_page_token_that_was_made_up_is_refused(server: RunningServer, place: str) -> None:
    """Anybody can make the binding; where it goes on must be a session's id all the same."""
    issue(server)
    issue(server)
    binding = base64url.decode(listed(server, page_size=1).next_page_token)[:9]
    refusal = refusal_of(lambda: listed(server, page_token=base64url.encode(binding + place.encode())))
    assert (refusal.reason, refusal.fields) == ("INVALID_REQUEST", ("page_token",))


@pytest.mark.parametrize(("fields", "field"), [({"user_id": "a b"}, "user_id"), ({"page_size": 1001}, "page_size")])
def test_a_question_that_cannot_be_is_refused(server: RunningServer, fields: dict[str, Any], field: str) -> None:
    """Each fault with its field."""
    assert refusal_of(lambda: listed(server, **fields)).fields == (field,)
