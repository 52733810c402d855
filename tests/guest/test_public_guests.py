"""Guests of front ends: the switches, what is minted, and what a retry gives."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from authsvc.errors import AuthError, InvalidRequest
from authsvc.model import PUBLIC_ID, Kind
from authsvc.tokens.requests import GuestSubject
from tests.guest.front_end import ADDRESS, OPEN, REQUEST_ID, FrontEnd, fields_of, reason_of
from tests.tokens.service import payload_of, session_id_of

DISABLED = "PUBLIC_GUESTS_DISABLED"


@pytest.mark.parametrize(
    "switches",
    [{}, {"guests_enabled": True}, {"public_guests": True}, {"anonymous_enabled": True, "public_guests": True}],
    ids=lambda switches: "+".join(switches) or "none",
)
def test_both_switches_must_be_on(lobby: FrontEnd, switches: dict[str, Any]) -> None:
    """Guests come in without a credential only where the app has guests at all and lets the public have them."""
    app = lobby.service.app(**switches)
    assert reason_of(lambda: lobby.guest(app)) == DISABLED
    lobby.service.set(app, **OPEN)
    assert lobby.guest(app).minted.token.claims.kind is Kind.GUEST


@pytest.mark.parametrize("faulty", [False, True])
def test_an_unknown_app_is_answered_as_one_that_is_switched_off(lobby: FrontEnd, faulty: bool) -> None:
    """Whoever tries names learns nothing: one refusal, whatever else is wrong, for a suspended app too."""
    off, gone = lobby.service.app(), lobby.service.app(suspended=True)
    request_id = "short" if faulty else ""
    found = []
    for app in ("no-such-app", off, gone):
        with pytest.raises(AuthError) as refused:
            lobby.guest(app, request_id, id_hint="!" if faulty else "")
        found.append((type(refused.value), refused.value.reason, refused.value.metadata, refused.value.retry_after))
    assert len(set(map(str, found))) == 1
    assert found[0][1] == DISABLED


def test_a_suspended_app_says_so_to_whom_it_let_in(lobby: FrontEnd) -> None:
    """An app with open doors is known; its suspension stops issue and refresh, and its end lets them go on."""
    app = lobby.service.app(**OPEN)
    token = lobby.guest(app, refreshable=True).refresh_token
    lobby.service.set(app, suspended=True)
    assert reason_of(lambda: lobby.guest(app)) == reason_of(lambda: lobby.refresh(token)) == "APP_SUSPENDED"
    lobby.service.set(app, suspended=False)
    assert lobby.refresh(token).rotated


def test_what_is_minted_is_the_apps(front: FrontEnd) -> None:
    """Role, lifetime, audience and issuer are the app's; name, image, custom data and hint the guest's; no more."""
    app = front.service.app(**OPEN, default_ttl=timedelta(minutes=7), default_audience=("chat",), issuer="https://acme")
    issued = front.guest(app, id_hint="ann", name="Ann", image="https://i/a.png", custom={"level": 3.0})
    claims = payload_of(issued.minted.text)
    user_id = claims.pop("user_id")
    assert user_id.startswith("guest-")
    assert user_id.endswith("-ann")
    assert claims.pop("exp") == int(front.service.clock().timestamp()) + 420
    assert {name: claims[name] for name in claims if name not in ("iat", "jti")} == {
        "iss": "https://acme",
        "sub": f"user/{user_id}",
        "role": "guest",
        "aud": "chat",
        "name": "Ann",
        "image": "https://i/a.png",
        "custom": {"level": 3},
    }
    assert front.service.validate(app, issued.minted.text, audience="chat").active


def test_a_guest_without_a_name_is_a_guest(lobby: FrontEnd) -> None:
    """Nothing about a guest is required, and two are never the same."""
    app = lobby.service.app(**OPEN)
    assert lobby.guest(app).minted.token.claims.user.id != lobby.guest(app).minted.token.claims.user.id
    assert lobby.guest(app).refresh_token == ""


def test_a_retry_is_the_same_guest_and_the_same_session(front: FrontEnd) -> None:
    """A lost answer is asked for again with the request id: same guest, same session, same refresh token, one row."""
    app = front.service.app(**OPEN)
    first = front.guest(app, REQUEST_ID, refreshable=True, name="Ann")
    again = front.guest(app, REQUEST_ID, refreshable=True, name="Ann")
    assert again.minted.token.claims.user == first.minted.token.claims.user
    assert session_id_of(again) == session_id_of(first)
    assert again.refresh_token == first.refresh_token
    assert front.service.rows()["sessions"] == 1
    other = front.guest(app, REQUEST_ID[:-1] + "2", refreshable=True, name="Ann")
    assert session_id_of(other) != session_id_of(first)
    assert front.service.rows()["sessions"] == 2


def test_a_service_with_the_same_request_id_gets_another_guest(lobby: FrontEnd) -> None:
    """What is derived for the public is nothing that a service is given, even for one app, request id and hint."""
    app = lobby.service.app(**OPEN)
    public = lobby.guest(app, REQUEST_ID, refreshable=True, id_hint="ann")
    service = lobby.service.issue(app, GuestSubject("ann"), refreshable=True, request_id=REQUEST_ID)
    assert public.minted.token.claims.user.id != service.minted.token.claims.user.id
    assert session_id_of(public) != session_id_of(service)


def test_another_app_gives_another_guest(lobby: FrontEnd) -> None:
    """One request id in two apps makes two guests."""
    one, other = lobby.service.app(**OPEN), lobby.service.app(**OPEN)
    first, second = lobby.guest(one, REQUEST_ID), lobby.guest(other, REQUEST_ID)
    assert first.minted.token.claims.user.id != second.minted.token.claims.user.id


def test_the_public_is_no_account() -> None:
    """The id it goes by is none that an account can have: those have sixteen characters."""
    assert len(PUBLIC_ID) != 16


def test_a_session_says_that_it_was_opened_here(front: FrontEnd) -> None:
    """The row of a guest's session says so and names the public; a service's says neither."""
    app = front.service.app(**OPEN)
    public = front.service.kept(front.guest(app, refreshable=True).refresh_token)
    service = front.service.kept(front.service.session(app, GuestSubject()))
    assert (public.opened_public, public.caller, public.kind) == (True, PUBLIC_ID, Kind.GUEST)
    assert (service.opened_public, service.caller) == (False, front.service.principal.account_id)


@pytest.mark.parametrize(
    ("wish", "fields"),
    [
        ({"request_id": "short"}, ["request_id"]),
        ({"request_id": "x" * 65}, ["request_id"]),
        ({"request_id": "ä" * 22}, ["request_id"]),
        ({"id_hint": "!anon"}, ["guest.id_hint"]),
        ({"id_hint": "a b"}, ["guest.id_hint"]),
        ({"id_hint": "x" * 86}, ["guest.id_hint"]),
        ({"custom": {}}, ["guest.custom"]),
        ({"custom": {"n": float("nan")}}, ["guest.custom.n"]),
        ({"custom": {"n": float("inf")}}, ["guest.custom.n"]),
        ({"custom": {"n": 2.0**53 + 2}}, ["guest.custom.n"]),
        ({"custom": {"n": object()}}, ["guest.custom.n"]),
        ({"custom": {f"m{n}": True for n in range(65)}}, ["guest.custom"]),
        ({"request_id": "short", "id_hint": "!", "custom": {}}, ["request_id", "guest.id_hint", "guest.custom"]),
    ],
)
def test_a_bad_wish_names_its_fields(front: FrontEnd, wish: dict[str, Any], fields: list[str]) -> None:
    """Each fault is told under its field, all at once, and nothing is opened."""
    app = front.service.app(**OPEN)
    assert fields_of(lambda: front.guest(app, refreshable=True, **wish)) == fields
    assert front.service.rows()["sessions"] == 0


def test_an_app_must_be_named(lobby: FrontEnd) -> None:
    """There is no only app of a caller that nobody knows."""
    lobby.service.app(**OPEN)
    assert fields_of(lambda: lobby.guest("")) == ["api_key"]


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"name": "n" * 4_000}, "guest.name"),
        ({"image": "i" * 4_000}, "guest.image"),
        ({"name": "n" * 500, "custom": {"x": "x" * 3_000}}, "guest.custom"),
    ],
)
def test_a_token_over_4_kib_is_refused(front: FrontEnd, wish: dict[str, Any], field: str) -> None:
    """What does not fit a token is refused by the field that takes most of it, and opens nothing; less is minted."""
    app = front.service.app(**OPEN)
    with pytest.raises(InvalidRequest) as refused:
        front.guest(app, refreshable=True, **wish)
    assert refused.value.reason == "TOKEN_TOO_LARGE"
    assert [violation.field for violation in refused.value.violations] == [field]
    assert front.service.rows()["sessions"] == 0
    assert len(front.guest(app, name="n" * 1_000).minted.text) > 1_000


def test_only_calls_of_open_apps_are_counted(lobby: FrontEnd) -> None:
    """The limit of an app hears of each call of an open app, and never of a name that opens nothing."""
    app, closed = lobby.service.app(**OPEN), lobby.service.app()
    for name in ("no-such-app", closed):
        assert reason_of(lambda name=name: lobby.guest(name)) == DISABLED  # type: ignore[misc]
    assert lobby.admitted == []
    token = lobby.guest(app, refreshable=True).refresh_token
    lobby.refresh(token)
    assert lobby.admitted == [app, app]


def test_an_app_at_its_limit_opens_nothing(front: FrontEnd) -> None:
    """When the limit says no, the refusal is the caller's answer, and neither issue nor refresh leaves a trace."""
    app = front.service.app(**OPEN)
    token = front.guest(app, refreshable=True).refresh_token
    before, kept = front.service.rows(), front.service.kept(token)
    front.full = True
    assert reason_of(lambda: front.guest(app, refreshable=True)) == "RATE_LIMITED"
    assert reason_of(lambda: front.refresh(token)) == "RATE_LIMITED"
    assert (front.service.rows(), front.service.kept(token)) == (before, kept)


def test_the_audit_names_the_public_and_its_address(front: FrontEnd) -> None:
    """Issue and refresh are lines of the audit like any other, with the address in place of an account; no token."""
    app = front.service.app(**OPEN)
    issued = front.guest(app, REQUEST_ID, refreshable=True)
    refreshed = front.refresh(issued.refresh_token)
    lines = [(level, message, event) for level, message, event in front.service.logged()]
    assert [(level, message) for level, message, _ in lines] == [("info", "token issued"), ("info", "token refreshed")]
    for _, _, event in lines:
        assert (event["principal"], event["address"], event["app"]) == ("public", ADDRESS, app)
    assert [event["outcome"] for _, _, event in lines] == ["issued", "rotated"]
    written = str(lines)
    for secret in (issued.minted.text, issued.refresh_token, refreshed.refresh_token, REQUEST_ID):
        assert secret not in written
    front.service.issue(app)
    assert "address" not in front.service.logged()[-1][2], "a service's line has none"
