"""Refreshing with changes: other data of the same user, narrower limits, a shorter life."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.errors import InvalidRequest
from authsvc.model import TokenScope
from authsvc.tokens.requests import GuestSubject, ScopeRequest, Seconds, UserSubject
from tests.tokens.service import REQUEST_ID, SARA, Service

TWO_CALLS = ScopeRequest(("video:1", "video:2"))


def test_the_user_s_data_change_and_last(desk: Service) -> None:
    """A new role, name, image and custom data are in the answered token and in those of later refreshes."""
    text = desk.session(desk.app(), UserSubject("sara", "user", "Sara"))
    changed = UserSubject("", "admin", "Dr. Sara", "https://example.org/s.png", {"team": 7.0})
    first = desk.refresh(text, user=changed)
    user = first.minted.token.claims.user
    assert (user.id, user.role, user.name, user.custom) == ("sara", "admin", "Dr. Sara", {"team": 7})
    assert desk.refresh(first.refresh_token).minted.token.claims.user == user


def test_all_four_are_replaced(desk: Service) -> None:
    """Data that the new user leaves out are gone: naming the id alone clears the rest."""
    text = desk.session(desk.app(), UserSubject("sara", "admin", "Sara", "https://example.org/s.png", {"a": 1.0}))
    user = desk.refresh(text, user=UserSubject("sara")).minted.token.claims.user
    assert (user.role, user.name, user.image, user.custom) == ("", "", "", None)


def test_the_scope_narrows_and_stays_narrow(desk: Service) -> None:
    """A part of the session's cids limits this token and all later ones; it cannot be widened again."""
    text = desk.session(desk.app(), SARA, scope=TWO_CALLS)
    first = desk.refresh(text, scope=ScopeRequest(("video:2",)))
    assert first.minted.token.claims.scope == TokenScope(("video:2",))
    with pytest.raises(InvalidRequest):
        desk.refresh(first.refresh_token, scope=TWO_CALLS)
    assert desk.refresh(first.refresh_token).minted.token.claims.scope == TokenScope(("video:2",))


def test_an_unlimited_session_can_be_limited(desk: Service) -> None:
    """Of a session without limits, any scope is a part."""
    first = desk.refresh(desk.session(desk.app()), scope=TWO_CALLS)
    assert first.minted.token.claims.scope == TokenScope(TWO_CALLS.call_cids)


def test_a_shorter_life_is_this_token_s_alone(desk: Service) -> None:
    """A ttl shortens the answered token; the next refresh gives the session's own again."""
    first = desk.refresh(desk.session(desk.app()), ttl=Seconds(60))
    now = int(desk.clock().timestamp())
    assert first.minted.token.claims.expires_at == now + 60
    assert desk.refresh(first.refresh_token).minted.token.claims.expires_at == now + 3600


def test_a_lost_reply_gets_the_changed_token_again(desk: Service) -> None:
    """The same request again is answered with what the first delivery changed, and changes nothing more."""
    text = desk.session(desk.app())
    request: dict[str, Any] = {"user": UserSubject("sara", "admin"), "scope": TWO_CALLS, "ttl": Seconds(60)}
    first, again = (desk.refresh(text, REQUEST_ID, **request) for _ in range(2))
    assert (first.rotated, again.rotated) == (True, False)
    assert again.minted.token.claims.user == first.minted.token.claims.user
    assert again.minted.token.claims.scope == first.minted.token.claims.scope
    assert again.minted.token.claims.expires_at == first.minted.token.claims.expires_at


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "another user": ({"user": UserSubject("tom")}, "user.id"),
    "an empty user": ({"user": UserSubject("")}, "user"),
    "no role": ({"user": UserSubject("sara", "No Role")}, "user.role"),
    "empty custom data": ({"user": UserSubject("sara", custom={})}, "user.custom"),
    "an empty scope": ({"scope": ScopeRequest()}, "scope"),
    "a wider scope": ({"scope": ScopeRequest(("video:1", "video:3"))}, "scope.call_cids"),
    "another kind of scope": ({"scope": ScopeRequest((), ("chat:1",))}, "scope.channel_cids"),
    "a longer life": ({"ttl": Seconds(3601)}, "ttl"),
    "no life": ({"ttl": Seconds(0)}, "ttl"),
    "a negative life": ({"ttl": Seconds(-1)}, "ttl"),
    "a broken second": ({"ttl": Seconds(1, 1)}, "ttl"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_change_turns_nothing(desk: Service, name: str) -> None:
    """A change that is not allowed is refused by its field, and the session is as it was."""
    changes, field = BAD[name]
    text = desk.session(desk.app(), UserSubject("sara", "user"), scope=TWO_CALLS)
    before = desk.kept(text)
    with pytest.raises(InvalidRequest) as refused:
        desk.refresh(text, **changes)
    assert [violation.field for violation in refused.value.violations] == [field]
    assert desk.kept(text) == before
    assert desk.refresh(text).rotated


def test_all_faults_of_a_refresh_at_once(desk: Service) -> None:
    """A refresh with several bad changes is answered with all of them."""
    text = desk.session(desk.app())
    with pytest.raises(InvalidRequest) as refused:
        desk.refresh(text, user=UserSubject("tom", "No Role"), scope=ScopeRequest(), ttl=Seconds(0))
    fields = sorted(violation.field for violation in refused.value.violations)
    assert fields == ["scope", "ttl", "user.id", "user.role"]


def test_a_guest_stays_a_guest(desk: Service) -> None:
    """A guest's name changes, its role does not."""
    text = desk.session(desk.app(guests_enabled=True), GuestSubject("jack"))
    guest = desk.refresh(text, user=UserSubject("", name="Jack")).minted.token.claims.user
    assert (guest.role, guest.name) == ("guest", "Jack")
    with pytest.raises(InvalidRequest) as refused:
        desk.refresh(text, user=UserSubject("", "admin"))
    assert [violation.field for violation in refused.value.violations] == ["user.role"]


def test_what_cannot_be_minted_turns_nothing(desk: Service) -> None:
    """A change that makes the token too large is refused, and the session refreshes as before."""
    text = desk.session(desk.app())
    with pytest.raises(InvalidRequest, match="TOKEN_TOO_LARGE"):
        desk.refresh(text, user=UserSubject("sara", custom={"x": "y" * 4096}))
    assert desk.refresh(text).minted.token.claims.user.custom is None
