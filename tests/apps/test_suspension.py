"""A suspended app does nothing, from the very next call on, until it is resumed."""

from __future__ import annotations

from functools import partial

import grpc
import pytest

from authsvc.v1 import admin_pb2, auth_pb2
from tests.conftest import RunningServer
from tests.refusals import refusal_of


@pytest.fixture
def signed_in(server: RunningServer) -> auth_pb2.IssueTokenResponse:
    """A user with a session in app ``dev``."""
    request = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id="sara"), refreshable=True)
    return server.auth().IssueToken(request, metadata=server.metadata)


def _suspend(server: RunningServer) -> None:
    server.admin().SuspendApp(admin_pb2.SuspendAppRequest(api_key="dev"), metadata=server.metadata)


def _resume(server: RunningServer) -> None:
    server.admin().ResumeApp(admin_pb2.ResumeAppRequest(api_key="dev"), metadata=server.metadata)


def _validate(server: RunningServer, token: str) -> auth_pb2.ValidateTokenResponse:
    request = auth_pb2.ValidateTokenRequest(api_key="dev", token=token)
    return server.auth().ValidateToken(request, metadata=server.metadata)


def _refresh(server: RunningServer, refresh_token: str) -> auth_pb2.RefreshTokenResponse:
    request = auth_pb2.RefreshTokenRequest(refresh_token=refresh_token)
    return server.auth().RefreshToken(request, metadata=server.metadata)


SUBJECTS = [
    {"user": auth_pb2.User(id="sara")},
    {"guest": auth_pb2.Guest()},
    {"anonymous": auth_pb2.Anonymous(), "scope": auth_pb2.TokenScope(call_cids=["livestream:1"])},
]


@pytest.mark.parametrize("subject", SUBJECTS, ids=["user", "guest", "anonymous"])
def test_nothing_is_issued(server: RunningServer, subject: dict[str, object]) -> None:
    """A suspended app issues no token, whoever it is for; a resumed one does."""
    request = auth_pb2.IssueTokenRequest(api_key="dev", **subject)  # type: ignore[arg-type]
    issue = partial(server.auth().IssueToken, request, metadata=server.metadata)
    _suspend(server)
    refusal = refusal_of(issue)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, "APP_SUSPENDED")
    _resume(server)
    assert issue().token


def test_nothing_is_refreshed_and_no_session_is_lost(
    server: RunningServer, signed_in: auth_pb2.IssueTokenResponse
) -> None:
    """A refresh meanwhile is refused and leaves the session untouched: afterwards the same refresh token rotates."""
    _suspend(server)
    assert refusal_of(lambda: _refresh(server, signed_in.refresh_token)).reason == "APP_SUSPENDED"
    _resume(server)
    assert _refresh(server, signed_in.refresh_token).outcome == auth_pb2.REFRESH_OUTCOME_ROTATED


def test_no_token_is_active(server: RunningServer, signed_in: auth_pb2.IssueTokenResponse) -> None:
    """Every token of the app, a forged one too, is answered with APP_SUSPENDED, and nothing of it is shown."""
    assert _validate(server, signed_in.token).active
    _suspend(server)
    for token in (signed_in.token, "nonsense"):
        answer = _validate(server, token)
        assert (answer.active, answer.status, answer.error_code) == (False, auth_pb2.TOKEN_STATUS_APP_SUSPENDED, 99)
        assert not answer.HasField("info")
    _resume(server)
    assert _validate(server, signed_in.token).active


def test_other_apps_go_on(server: RunningServer) -> None:
    """Suspending one app touches no other."""
    server.new_app("acme")
    _suspend(server)
    request = auth_pb2.IssueTokenRequest(api_key="acme", user=auth_pb2.User(id="sara"))
    token = server.auth().IssueToken(request, metadata=server.metadata).token
    check = auth_pb2.ValidateTokenRequest(api_key="acme", token=token)
    assert server.auth().ValidateToken(check, metadata=server.metadata).active


def test_a_suspended_app_can_be_read_and_changed(server: RunningServer) -> None:
    """An operator mends a suspended app before resuming it, and the change leaves it suspended."""
    _suspend(server)
    request = admin_pb2.UpdateAppRequest(api_key="dev", settings=admin_pb2.AppSettings(guests_enabled=False))
    request.update_mask.paths.append("guests_enabled")
    changed = server.admin().UpdateApp(request, metadata=server.metadata).app
    assert (changed.settings.suspended, changed.settings.guests_enabled) == (True, False)
    assert server.admin().GetApp(admin_pb2.GetAppRequest(api_key="dev"), metadata=server.metadata).app == changed


def test_every_suspension_counts_at_once(server: RunningServer, signed_in: auth_pb2.IssueTokenResponse) -> None:
    """Twenty times on and off: each answer after an acknowledged change already follows it."""
    for _ in range(20):
        _suspend(server)
        assert not _validate(server, signed_in.token).active
        _resume(server)
        assert _validate(server, signed_in.token).active
