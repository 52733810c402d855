"""Refreshing without a credential: sessions that were opened without one, and no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from authsvc.tokens.requests import GuestSubject, UserSubject
from tests.guest.front_end import OPEN, REQUEST_ID, FrontEnd, fields_of, reason_of
from tests.tokens.service import Service, payload_of, session_id_of


def test_a_guest_goes_on(lobby: FrontEnd) -> None:
    """A refresh turns the session: the same guest, the same session, the next refresh token, which is good again."""
    app = lobby.service.app(**OPEN)
    issued = lobby.guest(app, refreshable=True, name="Ann", id_hint="ann")
    turned = lobby.refresh(issued.refresh_token)
    assert turned.rotated
    assert turned.minted.token.claims.user == issued.minted.token.claims.user
    assert session_id_of(turned) == session_id_of(issued)
    assert lobby.refresh(turned.refresh_token).rotated


def test_a_lost_answer_is_given_again(front: FrontEnd) -> None:
    """With its request id, a refresh whose answer was lost gets the same successor long after the grace."""
    app = front.service.app(**OPEN)
    token = front.guest(app, refreshable=True).refresh_token
    first = front.refresh(token, REQUEST_ID)
    front.service.clock.move(minutes=10)
    again = front.refresh(token, REQUEST_ID)
    assert (again.rotated, again.refresh_token) == (False, first.refresh_token)


def test_a_stolen_token_ends_the_session(front: FrontEnd) -> None:
    """A spent token outside its grace is reuse here as elsewhere: the session is revoked for both."""
    app = front.service.app(**OPEN)
    spent = front.guest(app, refreshable=True).refresh_token
    live = front.refresh(spent).refresh_token
    front.service.clock.move(minutes=10)
    assert reason_of(lambda: front.refresh(spent)) == "REFRESH_TOKEN_REUSED"
    assert reason_of(lambda: front.refresh(live)) == "SESSION_REVOKED"


def of_a_user(service: Service, app: str) -> str:
    return service.session(app, UserSubject("sara", role="admin"))


def of_a_guest(service: Service, app: str) -> str:
    return service.session(app, GuestSubject("ann"))


def with_everything(service: Service, app: str) -> str:
    return service.session(app, UserSubject("root"), audience=("billing",), custom_claims={"plan": "gold"})


@pytest.mark.parametrize("opened", [of_a_user, of_a_guest, with_everything], ids=lambda opened: opened.__name__)
def test_a_session_that_a_service_opened_is_refused(front: FrontEnd, opened: Callable[[Service, str], str]) -> None:
    """A service's refresh token is no use without its credential, is left as good as it was, and the try is audited."""
    app = front.service.app(**OPEN)
    token = opened(front.service, app)
    before = front.service.kept(token)
    assert reason_of(lambda: front.refresh(token)) == "REFRESH_TOKEN_INVALID"
    assert front.service.kept(token) == before
    level, _, event = front.service.logged()[-1]
    assert (level, event["principal"], event["app"], event["outcome"]) == ("warn", "public", app, "refused")
    assert front.service.refresh(token).rotated, "the service itself goes on with it"


def test_a_spent_token_of_a_service_ends_nothing_here(front: FrontEnd) -> None:
    """Nor does a spent one raise the alarm: who has no credential cannot end a service's session."""
    app = front.service.app(**OPEN)
    spent = of_a_user(front.service, app)
    live = front.service.refresh(spent).refresh_token
    front.service.clock.move(minutes=10)
    assert reason_of(lambda: front.refresh(spent)) == "REFRESH_TOKEN_INVALID"
    assert front.service.refresh(live).rotated
    front.service.clock.move(minutes=10)
    assert reason_of(lambda: front.service.refresh(live)) == "REFRESH_TOKEN_REUSED", "the service's own try does"


def test_a_service_can_go_on_with_a_guests_session(front: FrontEnd) -> None:
    """A backend with a credential refreshes what the public opened, and the front end can go on after it."""
    app = front.service.app(**OPEN)
    opened = front.guest(app, refreshable=True)
    turned = front.service.refresh(opened.refresh_token)
    assert turned.rotated
    assert front.service.kept(turned.refresh_token).opened_public
    assert front.refresh(turned.refresh_token).rotated


@pytest.mark.parametrize("switch", ["guests_enabled", "public_guests"])
def test_a_switch_turned_off_stops_the_public(front: FrontEnd, switch: str) -> None:
    """Sessions opened while the switch was on rest while it is off, untouched, and go on when it is on again."""
    app = front.service.app(**OPEN)
    token = front.guest(app, refreshable=True).refresh_token
    front.service.set(app, **{switch: False})
    before = front.service.kept(token)
    assert reason_of(lambda: front.refresh(token)) == "PUBLIC_GUESTS_DISABLED"
    assert front.service.kept(token) == before
    front.service.set(app, **OPEN)
    assert front.refresh(token).rotated


def test_a_service_needs_no_public_switch(lobby: FrontEnd) -> None:
    """With the public shut out, the app's backend can still renew its guests."""
    app = lobby.service.app(**OPEN)
    token = lobby.guest(app, refreshable=True).refresh_token
    lobby.service.set(app, public_guests=False)
    assert lobby.service.refresh(token).rotated


@pytest.mark.parametrize(
    ("token", "request_id", "fields"),
    [
        ("", "", ["refresh_token"]),
        ("", "short", ["request_id", "refresh_token"]),
        ("art1_x", "x" * 65, ["request_id"]),
    ],
)
def test_a_bad_request_names_its_fields(lobby: FrontEnd, token: str, request_id: str, fields: list[str]) -> None:
    """What is missing or malformed is told under its field."""
    assert fields_of(lambda: lobby.refresh(token, request_id)) == fields


@pytest.mark.parametrize("token", ["x", "art1_", "art1_" + "A" * 52, "ask1_x", "eyJ.e30.x"])
def test_forged_text_is_refused_before_the_store(lobby: FrontEnd, token: str) -> None:
    """What we did not make is REFRESH_TOKEN_INVALID."""
    assert reason_of(lambda: lobby.refresh(token)) == "REFRESH_TOKEN_INVALID"


def test_what_a_refresh_mints_is_what_was_opened(front: FrontEnd) -> None:
    """A renewed token says what the first said, but for its times and its own id."""
    app = front.service.app(**OPEN)
    issued = front.guest(app, refreshable=True, name="Ann", custom={"level": 3.0})
    front.service.clock.move(minutes=5)
    turned = front.refresh(issued.refresh_token)

    def lasting(text: str) -> dict[str, Any]:
        return {name: value for name, value in payload_of(text).items() if name not in ("iat", "exp", "jti")}

    assert lasting(turned.minted.text) == lasting(issued.minted.text)
    assert payload_of(turned.minted.text)["exp"] == payload_of(issued.minted.text)["exp"] + 300
