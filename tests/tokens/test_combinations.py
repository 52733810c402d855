"""What goes together in one request, how large a token may be, and that all faults are told at once."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from authsvc.errors import CallerForbidden, InvalidRequest, KeyNotReady, NotFound, Reason
from authsvc.model import ApiKey, KeyState
from authsvc.signing.jws import MAX_MINTED_BYTES
from authsvc.tokens.requests import (
    AnonymousSubject,
    ExpiresAt,
    GuestSubject,
    IssueRequest,
    NeverExpires,
    ScopeRequest,
    Seconds,
    Ttl,
    UserSubject,
)
from tests.tokens.service import SARA, Service, a_principal, violations


@pytest.fixture(scope="module")
def app(desk: Service) -> ApiKey:
    """An app where everything is allowed."""
    return desk.app(guests_enabled=True, anonymous_enabled=True, allow_never_expires=True)


@pytest.mark.parametrize("subject", [SARA, GuestSubject("bob")], ids=["user", "guest"])
@pytest.mark.parametrize("lifetime", [None, Ttl(Seconds(60))], ids=["default", "ttl"])
def test_what_can_be_refreshed(desk: Service, app: ApiKey, subject: object, lifetime: Ttl | None) -> None:
    """Users and guests get a session, with a ttl or the default; each access token of it lives as long."""
    issued = desk.issue(app, subject, refreshable=True, lifetime=lifetime)  # type: ignore[arg-type]
    life = issued.minted.token.claims.expires_at
    assert life == desk.refresh(issued.refresh_token).minted.token.claims.expires_at
    assert life == int(desk.clock().timestamp()) + (60 if lifetime else 3600)


def test_a_token_that_cannot_be_refreshed_has_no_refresh_token(desk: Service, app: ApiKey) -> None:
    """Without asking there is neither refresh token nor session."""
    issued = desk.issue(app)
    assert (issued.refresh_token, issued.refresh_expires_at) == ("", None)
    assert issued.minted.token.claims.session_id is None


@pytest.mark.parametrize("lifetime", ["expires_at", "never_expires"])
def test_a_fixed_end_cannot_be_refreshed(desk: Service, app: ApiKey, lifetime: str) -> None:
    """A session gives new expiries, so a token with a fixed one, or none, has no session."""
    moment = int(desk.clock().timestamp()) + 60
    chosen = {"expires_at": ExpiresAt(Seconds(moment)), "never_expires": NeverExpires(True)}[lifetime]
    assert list(violations(desk, app, refreshable=True, lifetime=chosen)) == ["refreshable"]
    assert violations(desk, app, lifetime=chosen) == {}


def test_an_anonymous_viewer_cannot_be_refreshed(desk: Service, app: ApiKey) -> None:
    """Nobody comes back as nobody."""
    scope = ScopeRequest(("video:1",))
    assert list(violations(desk, app, AnonymousSubject(), scope=scope, refreshable=True)) == ["refreshable"]


def test_the_session_ends_as_the_app_says(desk: Service) -> None:
    """A refresh token ends with the idle lifetime, but never after the session's own."""
    app = desk.app(session_idle_ttl=timedelta(days=3), session_max_ttl=timedelta(days=5))
    assert desk.issue(app, refreshable=True).refresh_expires_at == desk.clock() + timedelta(days=3)
    short = desk.app(session_idle_ttl=timedelta(days=9), session_max_ttl=timedelta(days=5))
    assert desk.issue(short, refreshable=True).refresh_expires_at == desk.clock() + timedelta(days=5)


def token_size(service: Service, app: str, size: int) -> int:
    custom = {"x": "x" * size}
    return len(service.issue(app, UserSubject("sara", custom=custom)).minted.text)


def test_a_token_has_4_kib_at_most(desk: Service, app: ApiKey) -> None:
    """The largest token that is minted has 4,096 bytes or the next less, and verifies; one letter more is refused."""
    size = 2000
    while not violations(desk, app, UserSubject("sara", custom={"x": "x" * (size + 1)})):
        size += 1
    assert MAX_MINTED_BYTES - 2 <= token_size(desk, app, size) <= MAX_MINTED_BYTES
    refused = violations(desk, app, UserSubject("sara", custom={"x": "x" * (size + 1)}))
    assert {field: violation.reason for field, violation in refused.items()} == {"user.custom": Reason.TOKEN_TOO_LARGE}


@pytest.mark.parametrize(
    ("user", "fields", "field"),
    [
        ({"name": "n" * 4000}, {}, "user.name"),
        ({"image": "n" * 4000}, {}, "user.image"),
        ({}, {"custom_claims": {"x": "x" * 4000}}, "custom_claims"),
        ({}, {"audience": tuple(f"{n:0250}" for n in range(20))}, "audience"),
        ({}, {"scope": ScopeRequest(tuple(f"call:{n:0100}" for n in range(100)))}, "scope"),
    ],
)
def test_the_refusal_names_what_is_large(
    desk: Service, app: ApiKey, user: dict[str, Any], fields: dict[str, Any], field: str
) -> None:
    """A token over 4 KiB is refused by the field that takes most of it."""
    assert list(violations(desk, app, UserSubject("sara", **user), **fields)) == [field]


def test_a_token_that_is_too_large_opens_no_session(service: Service) -> None:
    """What cannot be minted leaves nothing behind."""
    app, before = service.app(), service.rows()["sessions"]
    large = UserSubject("sara", custom={"x": "x" * 5000})
    with pytest.raises(InvalidRequest) as refused:
        service.issue(app, large, refreshable=True, request_id="r" * 22)
    assert refused.value.reason is Reason.TOKEN_TOO_LARGE
    assert service.rows()["sessions"] == before


def test_all_faults_are_told_at_once(desk: Service, app: ApiKey) -> None:
    """A request with many mistakes is answered with all of them, each by its field."""
    refused = violations(
        desk,
        app,
        UserSubject("sa ra", "Host", custom={"n": math.nan, "deep": {"u": object()}}),
        scope=ScopeRequest(("video", "a:1", "a:1"), ("b:",)),
        lifetime=Ttl(Seconds(0)),
        audience=("", "a" * 257),
        custom_claims={"iss": "x", "exp": 1.0, "inf": math.inf},
        request_id="short",
        after_revision=-5,
    )
    assert sorted(refused) == [
        "after_revision",
        "audience",
        "custom_claims.exp",
        "custom_claims.inf",
        "custom_claims.iss",
        "request_id",
        "scope.call_cids",
        "scope.call_cids[0]",
        "scope.channel_cids[0]",
        "ttl",
        "user.custom.deep.u",
        "user.custom.n",
        "user.id",
        "user.role",
    ]


def test_one_reason_for_all_where_all_have_it(desk: Service, app: ApiKey) -> None:
    """The error says RESERVED_CLAIM where that is all, and INVALID_REQUEST as soon as something else is wrong."""
    for fields, reason in (
        ({"custom_claims": {"iss": "x", "sub": "y"}}, Reason.RESERVED_CLAIM),
        ({"custom_claims": {"iss": "x"}, "request_id": "short"}, Reason.INVALID_REQUEST),
        ({"lifetime": Ttl(Seconds(10**9))}, Reason.TTL_TOO_LONG),
        ({"lifetime": Ttl(Seconds(10**9)), "custom_claims": {"iss": "x"}}, Reason.INVALID_REQUEST),
    ):
        with pytest.raises(InvalidRequest) as refused:
            desk.issuing.issue(a_principal(), IssueRequest(api_key=app, subject=SARA, **fields))
        assert refused.value.reason is reason


def test_an_app_without_a_key_that_signs(service: Service) -> None:
    """While no key may sign nothing is minted, and no session is opened."""
    app = service.app()
    trust = service.domain.view.app(app)
    assert trust is not None
    [key] = trust.ring.keys.values()
    service.domain.view.put_keys(app, [replace(key, state=KeyState.PENDING)])
    before = service.rows()["sessions"]
    for refreshable in (False, True):
        with pytest.raises(KeyNotReady):
            service.issue(app, refreshable=refreshable)
    assert service.rows()["sessions"] == before
    service.domain.view.put_keys(app, [key])
    assert service.validate(app, service.issue(app).minted.text).active


def test_which_app(desk: Service, app: ApiKey) -> None:
    """A caller with one app need not name it; one with several, or all, must; a foreign one is refused."""
    other = desk.app()
    request = IssueRequest(subject=SARA)
    one, two = a_principal(apps=frozenset({app})), a_principal(apps=frozenset({app, other}))
    assert desk.issuing.issue(one, request).minted.token.api_key == app
    for principal in (two, a_principal()):
        with pytest.raises(InvalidRequest):
            desk.issuing.issue(principal, request)
    with pytest.raises(CallerForbidden) as refused:
        desk.issuing.issue(one, IssueRequest(api_key=other, subject=SARA))
    assert refused.value.reason is Reason.APP_NOT_ALLOWED


def test_which_app_is_there(desk: Service, app: ApiKey) -> None:
    """That an app does not exist is told only to a caller that may see all; others hear what they hear of any."""
    nobody = IssueRequest(api_key="nobody", subject=SARA)
    with pytest.raises(NotFound) as unknown:
        desk.issuing.issue(a_principal(), nobody)
    assert (unknown.value.reason, unknown.value.metadata) == (Reason.APP_NOT_FOUND, {"code": "2"})
    for apps in (frozenset({app}), frozenset({ApiKey("nobody")})):
        with pytest.raises(CallerForbidden) as refused:
            desk.issuing.issue(a_principal(apps=apps), nobody)
        assert refused.value.reason is Reason.APP_NOT_ALLOWED
