"""IssueToken repeated with its request id: the session of the first delivery, never a second one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from authsvc.errors import Reason, RefreshRefused
from authsvc.tokens.issue import IssuedToken
from authsvc.tokens.requests import GuestSubject, IssueRequest, Seconds, Subject, Ttl, UserSubject
from tests.tokens.service import REQUEST_ID, SARA, Service, a_principal, session_id_of

OTHER_ID = "request-0000000000000002"


def again(
    service: Service, app: str, subject: Subject = SARA, request_id: str = REQUEST_ID, **fields: Any
) -> IssuedToken:
    """The request, delivered once more."""
    return service.issue(app, subject, refreshable=True, request_id=request_id, **fields)


def refusal(service: Service, app: str) -> Reason:
    with pytest.raises(RefreshRefused) as refused:
        again(service, app)
    return refused.value.reason


@pytest.mark.parametrize("later", [0, 1e-6, 60, 86_400], ids=["at once", "a microsecond", "a minute", "a day"])
@pytest.mark.parametrize("subject", [SARA, GuestSubject("bob")], ids=["user", "guest"])
def test_it_gives_the_same_session(service: Service, later: float, subject: Subject) -> None:
    """A retry gives the same session and refresh token, a fresh access token, and writes nothing."""
    app = service.app(guests_enabled=True)
    first = again(service, app, subject)
    rows = service.rows()
    service.clock.move(seconds=later)
    second = again(service, app, subject)
    assert second.refresh_token == first.refresh_token
    assert second.refresh_expires_at == first.refresh_expires_at
    assert session_id_of(second) == session_id_of(first) is not None
    assert second.minted.token.claims.user == first.minted.token.claims.user
    assert second.minted.text != first.minted.text
    assert service.rows() == rows
    assert service.validate(app, second.minted.text).active


def test_after_a_rotation_it_gives_the_live_token(service: Service) -> None:
    """A retry that comes after the session was turned gets the live refresh token, which turns."""
    app = service.app()
    text = again(service, app).refresh_token
    for _ in range(3):
        text = service.refresh(text).refresh_token
    retried = again(service, app)
    assert retried.refresh_token == text
    assert service.refresh(retried.refresh_token).rotated


def test_the_session_is_as_it_was_opened(service: Service) -> None:
    """A retry that asks for other data gets the session that is there, with the data it was opened with."""
    app = service.app()
    first = again(service, app, UserSubject("sara", "host", "Sara"), lifetime=Ttl(Seconds(60)))
    second = again(service, app, UserSubject("sara", "admin", "Eve"), lifetime=Ttl(Seconds(600)))
    assert second.refresh_token == first.refresh_token
    assert second.minted.token.claims.user == first.minted.token.claims.user
    assert second.minted.token.claims.expires_at == first.minted.token.claims.expires_at


@pytest.mark.parametrize("later", [0, 5], ids=["at once", "later"])
@pytest.mark.parametrize("how", ["session", "user", "app"])
def test_a_revoked_session_is_said(service: Service, how: str, later: float) -> None:
    """A retry of a request whose session was revoked is SESSION_REVOKED, and opens no other."""
    app = service.app()
    first = again(service, app)
    service.clock.move(seconds=later)
    match how:
        case "session":
            service.revoke_session(first.refresh_token)
        case "user":
            service.revoke_all(app, "sara")
        case _:
            service.revoke_all(app, None)
    rows = service.rows()
    assert refusal(service, app) is Reason.SESSION_REVOKED
    assert service.rows() == rows
    assert service.refresh(again(service, app, request_id=OTHER_ID).refresh_token).rotated


@pytest.mark.parametrize(
    "settings", [{"session_idle_ttl": timedelta(hours=1)}, {"session_max_ttl": timedelta(hours=1)}]
)
def test_an_ended_session_is_said(service: Service, settings: dict[str, Any]) -> None:
    """A retry of a request whose session is over is REFRESH_TOKEN_EXPIRED, from that microsecond on."""
    app = service.app(**settings)
    first = again(service, app)
    service.clock.move(hours=1, microseconds=-1)
    assert again(service, app).refresh_token == first.refresh_token
    service.clock.move(microseconds=1)
    assert refusal(service, app) is Reason.REFRESH_TOKEN_EXPIRED


def test_any_other_request_is_another_session(service: Service) -> None:
    """Another user, kind, hint, request id, caller or app opens another session."""
    app, other = service.app(guests_enabled=True), service.app()

    def opened(account: str, api_key: str, subject: Subject, request_id: str) -> object:
        request = IssueRequest(api_key=api_key, subject=subject, refreshable=True, request_id=request_id)
        return session_id_of(service.issuing.issue(a_principal(account), request))

    sessions = [
        opened("svc-1", app, SARA, REQUEST_ID),
        opened("svc-1", app, UserSubject("eve"), REQUEST_ID),
        opened("svc-1", app, GuestSubject("sara"), REQUEST_ID),
        opened("svc-1", app, GuestSubject("eve"), REQUEST_ID),
        opened("svc-1", app, SARA, OTHER_ID),
        opened("svc-2", app, SARA, REQUEST_ID),
        opened("svc-1", other, SARA, REQUEST_ID),
        opened("svc-1", app, SARA, ""),
        opened("svc-1", app, SARA, ""),
    ]
    assert len(set(sessions)) == len(sessions) == service.rows()["sessions"]


def test_many_deliveries_at_once_open_one_session(service: Service) -> None:
    """Sixteen deliveries of one request at the same time give one session and one refresh token."""
    app, start = service.app(), Barrier(16)

    def deliver(_: int) -> str:
        start.wait(20)
        return again(service, app).refresh_token

    with ThreadPoolExecutor(16) as threads:
        assert len(set(threads.map(deliver, range(16)))) == 1
    assert service.rows()["sessions"] == 1


def test_a_retry_is_refused_for_its_faults_first(service: Service) -> None:
    """A retry is a request like any other: while the app is suspended it is refused."""
    app = service.app()
    first = again(service, app)
    service.set(app, suspended=True)
    with pytest.raises(Exception, match="APP_SUSPENDED"):
        again(service, app)
    service.set(app, suspended=False)
    assert again(service, app).refresh_token == first.refresh_token
