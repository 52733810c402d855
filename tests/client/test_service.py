"""The client against the real service: every call of the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from authsvc.client import (
    AlreadyExists,
    AuthClient,
    Conflict,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RefreshRefused,
    Unauthenticated,
)
from authsvc.v1 import admin_pb2, auth_pb2, guest_pb2
from tests.client.conftest import CREDENTIAL
from tests.client.halves import Do
from tests.client.scripted import ScriptedServer
from tests.conftest import HandClock, RunningServer

Call = Callable[[Any], Any]

SARA = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id="sara"), refreshable=True)


def test_a_token_is_issued_validated_and_refreshed(client: AuthClient) -> None:
    """The main job, through the SDK."""
    issued = client.issue_token(SARA)
    verdict = client.validate_token(auth_pb2.ValidateTokenRequest(api_key="dev", token=issued.token))
    assert (verdict.active, verdict.info.user.id) == (True, "sara")
    renewed = client.refresh_token(auth_pb2.RefreshTokenRequest(refresh_token=issued.refresh_token))
    assert renewed.outcome == auth_pb2.REFRESH_OUTCOME_ROTATED


def test_a_lost_reply_recovers_by_its_request_id(client: AuthClient, clock: HandClock) -> None:
    """The same request asked again, long after the grace, gives the same session and the same successor."""
    request = auth_pb2.IssueTokenRequest(request_id="i" * 22)
    request.MergeFrom(SARA)
    issued = client.issue_token(request)
    assert client.issue_token(request).refresh_token == issued.refresh_token
    turn = auth_pb2.RefreshTokenRequest(refresh_token=issued.refresh_token, request_id="r" * 22)
    renewed = client.refresh_token(turn)
    clock.move(minutes=10)
    again = client.refresh_token(turn)
    assert (again.outcome, again.refresh_token) == (auth_pb2.REFRESH_OUTCOME_REPLAYED, renewed.refresh_token)


def test_a_session_that_ended_is_told_from_other_failures(client: AuthClient, clock: HandClock) -> None:
    """Reuse and forgery are both: the user signs in again."""
    spent = auth_pb2.RefreshTokenRequest(refresh_token=client.issue_token(SARA).refresh_token)
    client.refresh_token(spent)
    clock.move(minutes=10)
    with pytest.raises(RefreshRefused, match="REFRESH_TOKEN_REUSED"):
        client.refresh_token(spent)
    with pytest.raises(RefreshRefused, match="REFRESH_TOKEN_INVALID"):
        client.refresh_token(auth_pb2.RefreshTokenRequest(refresh_token="art1_forged"))


def test_a_front_end_gets_its_guests(server: RunningServer) -> None:
    """Guests and anonymous visitors, by a client without a credential; and a lost reply recovers by its request id."""
    switches = {"guests_enabled": True, "public_guests": True, "anonymous_enabled": True}
    server.new_app("open", **switches, public_anonymous_cids=("livestream:*",))
    with AuthClient(server.target) as client:
        request = guest_pb2.IssueGuestTokenRequest(api_key="open", refreshable=True, request_id="i" * 22)
        issued = client.guests.issue_guest_token(request)
        assert client.guests.issue_guest_token(request).refresh_token == issued.refresh_token
        turn = guest_pb2.RefreshGuestTokenRequest(refresh_token=issued.refresh_token)
        assert client.guests.refresh_guest_token(turn).info.user == issued.info.user
        scope = auth_pb2.TokenScope(call_cids=["livestream:x"])
        watch = guest_pb2.IssueAnonymousTokenRequest(api_key="open", scope=scope)
        assert client.guests.issue_anonymous_token(watch).info.user.id == "!anon"
        with pytest.raises(PermissionDenied, match="PUBLIC_GUESTS_DISABLED"):
            client.guests.issue_guest_token(guest_pb2.IssueGuestTokenRequest(api_key="dev"))


def test_a_credential_does_not_go_with_the_calls_of_guests(scripted: ScriptedServer) -> None:
    """A client that has one keeps it from methods that do not ask for it; the other methods get it."""
    with AuthClient(scripted.target, CREDENTIAL) as client:
        client.guests.issue_guest_token(guest_pb2.IssueGuestTokenRequest())
        client.validate_token(auth_pb2.ValidateTokenRequest())
    assert ["authorization" in dict(metadata) for metadata in scripted.metadata] == [False, True]


def test_apps_are_made_changed_and_listed(client: AuthClient) -> None:
    """Every call about apps, and an etag that is out of date."""
    admin = client.admin
    made = admin.create_app(admin_pb2.CreateAppRequest(api_key="shop")).app
    mask = FieldMask(paths=["max_ttl"])
    settings = admin_pb2.AppSettings(max_ttl=Duration(seconds=7200))
    change = admin_pb2.UpdateAppRequest(api_key="shop", settings=settings, update_mask=mask, etag=made.etag)
    assert admin.update_app(change).app.settings.max_ttl.seconds == 7200
    with pytest.raises(Conflict, match="CONFLICT"):
        admin.update_app(change)
    assert admin.suspend_app(admin_pb2.SuspendAppRequest(api_key="shop")).app.settings.suspended
    assert not admin.resume_app(admin_pb2.ResumeAppRequest(api_key="shop")).app.settings.suspended
    assert admin.get_app(admin_pb2.GetAppRequest(api_key="shop")).app.api_key == "shop"
    with pytest.raises(AlreadyExists, match="APP_EXISTS"):
        admin.create_app(admin_pb2.CreateAppRequest(api_key="shop"))


def test_all_pages_are_followed(client: AuthClient) -> None:
    """Whoever asks for all apps or accounts gets all, once each, however small the pages."""
    for number in range(5):
        client.admin.create_app(admin_pb2.CreateAppRequest(api_key=f"app-{number}"))
        request = admin_pb2.CreateServiceAccountRequest(name=f"backend-{number}", permissions=["tokens.issue"])
        client.admin.create_service_account(request)
    apps = [app.api_key for app in client.admin.apps(admin_pb2.ListAppsRequest(page_size=2))]
    assert apps == sorted([*(f"app-{number}" for number in range(5)), "dev"])
    assert len(client.admin.list_apps(admin_pb2.ListAppsRequest(page_size=2)).apps) == 2
    pages = client.admin.service_accounts(admin_pb2.ListServiceAccountsRequest(page_size=2))
    accounts = [account.id for account in pages]
    assert (len(accounts), accounts) == (6, sorted(set(accounts)))


def test_accounts_live_through_every_change(client: AuthClient, server: RunningServer) -> None:
    """Every call about service accounts, and what each does to the account's own calls."""
    admin = client.admin
    made = admin.create_service_account(
        admin_pb2.CreateServiceAccountRequest(name="shop", permissions=["tokens.issue"], apps=["dev"])
    )
    account_id = made.service_account.id
    with AuthClient(server.target, made.credential) as shop:
        assert shop.issue_token(SARA).token
        with pytest.raises(PermissionDenied, match="PERMISSION_MISSING"):
            shop.admin.list_apps(admin_pb2.ListAppsRequest())
        admin.disable_service_account(admin_pb2.DisableServiceAccountRequest(id=account_id))
        with pytest.raises(Unauthenticated, match="CREDENTIAL_INVALID"):
            shop.issue_token(SARA)
        admin.enable_service_account(admin_pb2.EnableServiceAccountRequest(id=account_id))
        rotated = admin.rotate_credential(admin_pb2.RotateCredentialRequest(id=account_id))
        admin.revoke_credential(admin_pb2.RevokeCredentialRequest(id=account_id, credential_id=made.credential_id))
        with pytest.raises(Unauthenticated, match="CREDENTIAL_INVALID"):
            shop.issue_token(SARA)
    with AuthClient(server.target, rotated.credential) as shop:
        assert shop.issue_token(SARA).token
    change = admin_pb2.UpdateServiceAccountRequest(id=account_id, name="store", update_mask=FieldMask(paths=["name"]))
    assert admin.update_service_account(change).service_account.name == "store"
    found = admin.get_service_account(admin_pb2.GetServiceAccountRequest(id=account_id)).service_account
    assert (found.name, [each.id for each in found.credentials]) == ("store", [rotated.credential_id])


def test_what_was_issued_is_revoked_and_taken_back(do: Do) -> None:
    """A user's tokens end, are listed as revoked and, where it was a mistake, good again; the session stays ended."""
    issued = do(lambda client: client.issue_token(SARA))
    do(lambda client: client.revoke_tokens(auth_pb2.RevokeTokensRequest(api_key="dev", user_id="sara")))
    check = auth_pb2.ValidateTokenRequest(api_key="dev", token=issued.token)
    assert do(lambda client: client.validate_token(check)).status == auth_pb2.TOKEN_STATUS_REVOKED
    asked = admin_pb2.ListRevocationsRequest(api_key="dev", page_size=1)
    assert [found.user_id for found in do(lambda client: client.admin.revocations(asked))] == ["sara"]
    with pytest.raises(RefreshRefused, match="SESSION_REVOKED"):
        do(lambda client: client.refresh_token(auth_pb2.RefreshTokenRequest(refresh_token=issued.refresh_token)))
    mistake = admin_pb2.ClearRevocationRequest(api_key="dev", user_id="sara")
    do(lambda client: client.admin.clear_revocation(mistake))
    assert do(lambda client: client.validate_token(check)).active


def test_sessions_and_the_audit_are_read_whole(do: Do) -> None:
    """All pages of what is signed in, and of what was done, for both kinds of client."""

    def sign_in(name: str) -> Call:
        wish = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id=name), refreshable=True)
        return lambda client: client.issue_token(wish)

    def revoke(name: str) -> Call:
        return lambda client: client.revoke_tokens(auth_pb2.RevokeTokensRequest(api_key="dev", user_id=name))

    for number in range(5):
        do(sign_in(f"user-{number}"))
        do(revoke(f"gone-{number}"))
    asked = auth_pb2.ListSessionsRequest(api_key="dev", page_size=2)
    sessions = do(lambda client: client.sessions(asked))
    assert sorted(session.user.id for session in sessions) == [f"user-{number}" for number in range(5)]
    page = do(lambda client: client.list_sessions(asked))
    assert (len(page.sessions), bool(page.next_page_token)) == (2, True)
    done = admin_pb2.ListAuditEventsRequest(api_key="dev", action="user.revoked", page_size=2)
    events = do(lambda client: client.admin.audit_events(done))
    assert [event.subject for event in events] == [f"gone-{number}" for number in reversed(range(5))]


def test_refusals_arrive_as_what_they_mean(client: AuthClient, server: RunningServer) -> None:
    """An unknown app, a request with faults, and a call without a credential."""
    with pytest.raises(NotFound) as unknown:
        client.admin.get_app(admin_pb2.GetAppRequest(api_key="nosuch"))
    assert (unknown.value.reason, unknown.value.metadata) == ("APP_NOT_FOUND", {"code": "2"})
    with pytest.raises(InvalidRequest) as faulty:
        client.issue_token(auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id="!", role="A B")))
    assert {violation.field for violation in faulty.value.violations} == {"user.id", "user.role"}
    with AuthClient(server.target) as stranger, pytest.raises(Unauthenticated, match="CREDENTIAL_MISSING"):
        stranger.issue_token(SARA)
