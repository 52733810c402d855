"""Answers that were given before: the same bytes of the same caller, until anything that matters is another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from authsvc.clock import system_clock
from authsvc.model import ApiKey, AuditEvent, TokenId, UserId
from authsvc.v1 import admin_pb2
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import RunningServer
from tests.rpc.http2 import connected
from tests.rpc.surface import VALIDATE, answered, bearer, completed

ACTIVE = pb.TOKEN_STATUS_ACTIVE


@pytest.fixture
def token(server: RunningServer) -> str:
    """A user's token that lives for an hour."""
    request = pb.IssueTokenRequest(api_key="dev", user=pb.User(id="sara", role="admin"))
    return str(server.auth().IssueToken(request, metadata=server.metadata).token)


def ask(server: RunningServer, token: str, **questions: object) -> pb.ValidateTokenResponse:
    request = pb.ValidateTokenRequest(api_key="dev", token=token, **questions)  # type: ignore[arg-type]
    return server.auth().ValidateToken(request, metadata=server.metadata)


def hits(server: RunningServer) -> int:
    """How often an answer was remembered, by the metric that counts it too."""
    state = server.domain.metrics.signature_cache
    assert state is not None
    return state().hits


def test_a_question_asked_again_is_answered_with_the_same(server: RunningServer, token: str) -> None:
    """The second answer is the first, counts as a hit, and has a completion line that says as much."""
    first, before = ask(server, token), hits(server)
    assert ask(server, token) == first
    assert (first.status, hits(server)) == (ACTIVE, before + 1)
    lines = [line for line in completed(server) if line["method"].endswith("ValidateToken")]
    told = [{name: line[name] for name in ("code", "reason", "principal", "app")} for line in lines]
    assert told[0] == told[1]


def an_event(action: str) -> AuditEvent:
    return AuditEvent(system_clock(), action, "test", "dev", "sara", "done")


def revoke_user(server: RunningServer, _: str) -> pb.TokenStatus.ValueType:
    server.domain.store.raise_watermark(ApiKey("dev"), UserId("sara"), an_event("user.revoked"))
    return pb.TOKEN_STATUS_REVOKED


def revoke_token(server: RunningServer, token: str) -> pb.TokenStatus.ValueType:
    info = ask(server, token).info
    server.domain.store.revoke_token(ApiKey("dev"), TokenId(info.token_id), None, an_event("token.revoked"))
    return pb.TOKEN_STATUS_REVOKED


def suspend(server: RunningServer, _: str) -> pb.TokenStatus.ValueType:
    server.admin().SuspendApp(admin_pb2.SuspendAppRequest(api_key="dev"), metadata=server.metadata)
    return pb.TOKEN_STATUS_APP_SUSPENDED


def expire(server: RunningServer, _: str) -> pb.TokenStatus.ValueType:
    server.clock.move(hours=2)
    return pb.TOKEN_STATUS_EXPIRED


def turn_back(server: RunningServer, _: str) -> pb.TokenStatus.ValueType:
    server.clock.move(hours=-2)
    return pb.TOKEN_STATUS_ISSUED_IN_FUTURE


@pytest.mark.parametrize("change", [revoke_user, revoke_token, suspend, expire, turn_back])
def test_what_changes_the_answer_is_seen_at_once(
    server: RunningServer, token: str, change: Callable[[RunningServer, str], pb.TokenStatus.ValueType]
) -> None:
    """A remembered answer is given again only while it would be found out again."""
    assert [ask(server, token).status for _ in range(2)] == [ACTIVE, ACTIVE]
    expected = change(server, token)
    assert ask(server, token).status == expected


def test_another_question_about_the_token_is_another_question(server: RunningServer, token: str) -> None:
    """A remembered yes answers nothing but what was asked."""
    assert [ask(server, token).status for _ in range(2)] == [ACTIVE, ACTIVE]
    assert ask(server, token, roles=pb.RoleCheck(any_of=["editor"])).status == pb.TOKEN_STATUS_ROLE_DENIED
    assert ask(server, token, roles=pb.RoleCheck(any_of=["admin"])).status == ACTIVE


def test_an_answer_is_remembered_for_its_caller_alone(server: RunningServer, token: str) -> None:
    """A caller with other rights is judged by its own, whoever asked before."""
    server.new_app("other")
    assert [ask(server, token).status for _ in range(2)] == [ACTIVE, ACTIVE]
    foreign = server.new_credential("foreign", permissions=("tokens.validate",), apps=(ApiKey("other"),))
    request = pb.ValidateTokenRequest(api_key="dev", token=token)
    call = server.auth().ValidateToken.future(request, metadata=(("authorization", f"Bearer {foreign}"),))
    assert "APP_NOT_ALLOWED" in str(call.exception())


def test_what_was_found_out_with_rights_that_ended_is_not_for_later_calls(server: RunningServer, token: str) -> None:
    """A call whose message comes after its account lost the app is the last that is answered so."""
    server.new_app("other")
    metadata = bearer(server.new_credential("edge", permissions=("tokens.validate",), apps=(ApiKey("dev"),)))
    (edge,) = [account for account in server.domain.view.accounts() if account.name == "edge"]
    body = pb.ValidateTokenRequest(api_key="dev", token=token).SerializeToString()
    with connected(server.target) as connection:
        slow = connection.call(VALIDATE, metadata)
        assert answered(connection, VALIDATE, metadata, body).status == 0, "the slow call has come too"
        server.domain.store.edit_account(
            edge.id, lambda account: replace(account, apps=frozenset({ApiKey("other")})), an_event("account.updated")
        )
        connection.send(slow, body)
        assert connection.answer(slow).status == 0
        assert answered(connection, VALIDATE, metadata, body).reason == "APP_NOT_ALLOWED"


def test_a_no_is_not_remembered(server: RunningServer) -> None:
    """What is not active may become so: it is found out each time."""
    before = hits(server)
    assert [ask(server, "x.y.z").status for _ in range(3)] == [pb.TOKEN_STATUS_MALFORMED] * 3
    assert hits(server) == before


def test_strong_is_never_answered_from_memory(server: RunningServer, token: str) -> None:
    """Who asks for the state of the store gets it looked at each time."""
    for _ in range(2):
        assert ask(server, token, consistency=pb.CONSISTENCY_STRONG).status == ACTIVE
    looks = server.domain.follower.looks.begun
    assert ask(server, token, consistency=pb.CONSISTENCY_STRONG).status == ACTIVE
    assert server.domain.follower.looks.begun > looks
