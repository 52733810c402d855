"""Anonymous visitors of front ends: the switches, the patterns, and a token that says nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from authsvc.errors import AuthError
from authsvc.model import TokenStatus
from authsvc.tokens.guest import AnonymousWish
from authsvc.tokens.requests import ScopeRequest
from tests.guest.front_end import ADDRESS, WATCHED, FrontEnd, fields_of, reason_of
from tests.tokens.service import payload_of

CLOSED = "SCOPE_NOT_PUBLIC"
CID = "livestream:match"


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"anonymous_enabled": True},
        {"public_anonymous_cids": ("livestream:*",)},
        {"anonymous_enabled": True, "allow_unscoped_anonymous": True},
        {"guests_enabled": True, "public_guests": True, "public_anonymous_cids": ("livestream:*",)},
    ],
    ids=lambda switches: "+".join(switches) or "none",
)
def test_the_switch_and_a_pattern_are_needed(lobby: FrontEnd, switches: dict[str, Any]) -> None:
    """Anonymous visitors need the app's switch and a pattern that fits; either alone opens nothing."""
    app = lobby.service.app(**switches)
    assert reason_of(lambda: lobby.watch(app, CID)) == CLOSED
    lobby.service.set(app, **WATCHED)
    assert lobby.watch(app, CID).minted.token.claims.user.id == "!anon"


@pytest.mark.parametrize("cids", [(CID,), (), ("no cid",)])
def test_an_unknown_app_is_answered_as_one_that_is_switched_off(lobby: FrontEnd, cids: tuple[str, ...]) -> None:
    """Names of apps are not told, whatever the scope is."""
    found = []
    for app in ("no-such-app", lobby.service.app(), lobby.service.app(suspended=True)):
        with pytest.raises(AuthError) as refused:
            lobby.watch(app, *cids)
        found.append((refused.value.reason, dict(refused.value.metadata)))
    assert found == [(CLOSED, {})] * 3


@pytest.mark.parametrize(
    ("calls", "channels"),
    [
        (("room:other",), ()),
        ((CID, "room:other"), ()),
        ((CID,), ("room:other",)),
        ((), ("messaging:x",)),
        (("room:lobby2",), ()),
        (("Livestream:match",), ()),
    ],
)
def test_every_cid_must_fit(lobby: FrontEnd, calls: tuple[str, ...], channels: tuple[str, ...]) -> None:
    """One call or channel outside the patterns refuses the whole; without it the rest is minted."""
    app = lobby.service.app(**WATCHED)
    assert reason_of(lambda: lobby.watch(app, *calls, channel_cids=channels)) == CLOSED
    assert lobby.watch(app, CID, "room:lobby", channel_cids=("livestream:chat",)).minted.text


def test_the_token_is_the_apps(front: FrontEnd) -> None:
    """Role, lifetime and audience are the app's; the token names the scope asked for and nothing of who asked."""
    app = front.service.app(**WATCHED, anonymous_role="looker", default_ttl=timedelta(minutes=7))
    issued = front.watch(app, CID, channel_cids=("livestream:chat",))
    claims = payload_of(issued.minted.text)
    assert claims.pop("exp") == int(front.service.clock().timestamp()) + 420
    assert {name: claims[name] for name in claims if name not in ("iat", "jti")} == {
        "iss": "authsvc",
        "sub": "user/!anon",
        "user_id": "!anon",
        "role": "looker",
        "call_cids": [CID],
        "channel_cids": ["livestream:chat"],
    }
    assert (issued.refresh_token, issued.refresh_expires_at) == ("", None)


def test_the_token_opens_its_call_alone(lobby: FrontEnd) -> None:
    """Validation answers ACTIVE for the call asked for and SCOPE_DENIED for any other, open or not."""
    app = lobby.service.app(**WATCHED)
    token = lobby.watch(app, CID).minted.text
    assert lobby.service.validate(app, token, call_cid=CID).active
    assert lobby.service.validate(app, token, call_cid="livestream:other").status is TokenStatus.SCOPE_DENIED


@pytest.mark.parametrize("unscoped", [False, True])
def test_a_scope_is_required(lobby: FrontEnd, unscoped: bool) -> None:
    """A scope must be there, also where the app lets services issue unscoped anonymous tokens."""
    app = lobby.service.app(**WATCHED, allow_unscoped_anonymous=unscoped)
    assert fields_of(lambda: lobby.guests.issue_anonymous(AnonymousWish(app), ADDRESS)) == ["scope"]
    assert fields_of(lambda: lobby.watch(app)) == ["scope"]


@pytest.mark.parametrize(
    ("scope", "fields"),
    [
        (ScopeRequest(("livestream",)), ["scope.call_cids[0]"]),
        (ScopeRequest((CID, "livestream:*")), ["scope.call_cids[1]"]),
        (ScopeRequest((CID, "")), ["scope.call_cids[1]"]),
        (ScopeRequest((CID, CID)), ["scope.call_cids"]),
        (ScopeRequest((), ("a b:c",)), ["scope.channel_cids[0]"]),
        (ScopeRequest(tuple(f"livestream:{n}" for n in range(101))), ["scope"]),
        (ScopeRequest(("x",), ("y",)), ["scope.call_cids[0]", "scope.channel_cids[0]"]),
    ],
)
def test_a_bad_scope_names_its_fields(lobby: FrontEnd, scope: ScopeRequest, fields: list[str]) -> None:
    """Each fault of a scope is told under its field; a pattern is no cid, so nobody asks for all of them."""
    app = lobby.service.app(**WATCHED)
    assert fields_of(lambda: lobby.guests.issue_anonymous(AnonymousWish(app, scope), ADDRESS)) == fields


def test_a_hundred_cids_fit(lobby: FrontEnd) -> None:
    """A hundred open cids are minted: one more is a fault, as above."""
    app = lobby.service.app(**WATCHED)
    assert lobby.watch(app, *(f"livestream:{n}" for n in range(100))).minted.text


def test_an_app_must_be_named(lobby: FrontEnd) -> None:
    """There is no only app of a caller that nobody knows."""
    assert fields_of(lambda: lobby.watch("", CID)) == ["api_key"]


def test_a_suspended_app_says_so_where_it_was_open(lobby: FrontEnd) -> None:
    """An app that opens its calls is known, and says that it is suspended."""
    app = lobby.service.app(**WATCHED, suspended=True)
    assert reason_of(lambda: lobby.watch(app, CID)) == "APP_SUSPENDED"


def test_only_calls_of_open_apps_are_counted(lobby: FrontEnd) -> None:
    """The limit of an app hears of open apps only."""
    app = lobby.service.app(**WATCHED)
    assert reason_of(lambda: lobby.watch("no-such-app", CID)) == CLOSED
    assert lobby.admitted == []
    lobby.watch(app, CID)
    assert lobby.admitted == [app]


def test_the_audit_names_the_public_and_its_address(front: FrontEnd) -> None:
    """The line says who was let in from where."""
    app = front.service.app(**WATCHED)
    token = front.watch(app, CID).minted.text
    ((level, message, event),) = front.service.logged()
    assert (level, message) == ("info", "token issued")
    assert (event["principal"], event["address"], event["app"], event["user_id"]) == ("public", ADDRESS, app, "!anon")
    assert token not in str(event)
