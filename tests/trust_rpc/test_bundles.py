"""What a watcher is told that goes on from a cursor, where this worker knows less than the store."""

from __future__ import annotations

from authsvc.clock import system_clock
from authsvc.model import ApiKey, AuditEvent, TokenId
from authsvc.rpc.bundles import Bundles
from authsvc.trust.view import TrustView
from authsvc.v1 import admin_pb2
from tests.conftest import RunningServer

DEV = ApiKey("dev")


def bundles_of(server: RunningServer, view: TrustView) -> Bundles:
    """What is told by who knows that view, and has the server's store."""
    return Bundles(view, server.domain.store, server.domain.freshness, clock=system_clock, development_tokens=False)


def test_a_cursor_says_no_more_than_the_policy_told_with_it(server: RunningServer) -> None:
    """Who goes on from there hears of what this worker had not heard of when it told its policy."""
    known = server.domain.view.app(DEV)
    assert known is not None
    behind = TrustView(server.domain.view.revision)
    behind.put_app(known.app)
    began = f"{server.domain.store.epoch}-{behind.revision}"
    server.admin().SuspendApp(admin_pb2.SuspendAppRequest(api_key="dev"), metadata=server.metadata)
    event = AuditEvent(system_clock(), "token.revoked", "test", "dev", "", "done")
    server.domain.store.revoke_token(DEV, TokenId("meanwhile"), None, event)
    policy, revoked = bundles_of(server, behind).from_cursor(DEV, began)
    assert not policy.policy.suspended, "it is behind"
    assert [entry.token.token_id for entry in revoked.revocations.revocations] == ["meanwhile"]
    assert revoked.cursor == began
    policy, revoked = bundles_of(server, server.domain.view).from_cursor(DEV, revoked.cursor)
    assert policy.policy.suspended
    assert revoked.cursor == f"{server.domain.store.epoch}-{server.domain.view.revision}"
