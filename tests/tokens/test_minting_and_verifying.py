"""Minting keeps every limit of the verifier: what the one makes, the other accepts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.errors import InvalidRequest, Reason
from authsvc.tokens.requests import GuestSubject, ScopeRequest, Seconds, Ttl, UserSubject
from authsvc.verify.claims import RESERVED_NAMES
from tests.properties import QUICK
from tests.tokens.service import Service, payload_of

ASCII = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32).map(lambda number: number % 2**40)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
DATA = st.none() | st.dictionaries(TEXTS.filter(bool), VALUES, min_size=1, max_size=4)
CLAIMS = DATA.filter(lambda claims: claims is None or RESERVED_NAMES.isdisjoint(claims))
CIDS = st.lists(
    st.builds(
        "{}:{}".format, st.text(ASCII + "_-", min_size=1, max_size=8), st.text(ASCII + "_!-", min_size=1, max_size=8)
    ),
    max_size=5,
    unique=True,
).map(tuple)
ROLES = st.just("") | st.builds(lambda rest: "r" + rest, st.text("abc019_-", max_size=10))
USERS = st.builds(
    UserSubject,
    st.text(ASCII + "@_.:|+=~-", min_size=1, max_size=128).filter(lambda text: not text.startswith("guest-")),
    ROLES,
    TEXTS,
    TEXTS,
    DATA,
)
GUESTS = st.builds(GuestSubject, st.text(ASCII + "@_.:|+=~-", max_size=85), TEXTS, TEXTS, DATA)
SCOPES = st.none() | st.builds(ScopeRequest, CIDS, CIDS).filter(
    lambda scope: bool(scope.call_cids or scope.channel_cids)
)
AUDIENCES = st.lists(TEXTS.filter(bool), max_size=3, unique=True).map(tuple)


@pytest.fixture(scope="module")
def app(desk: Service) -> str:
    """An app with guests."""
    return desk.app(guests_enabled=True)


def whole(value: Any) -> Any:
    """What a token makes of a value: whole numbers are integers."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: whole(item) for name, item in value.items()}
        case list():
            return [whole(item) for item in value]
        case _:
            return value


@QUICK
@given(
    subject=USERS | GUESTS,
    scope=SCOPES,
    audience=AUDIENCES,
    claims=CLAIMS,
    ttl=st.integers(1, 86_400),
)
def test_what_is_minted_verifies(
    desk: Service,
    app: str,
    subject: UserSubject | GuestSubject,
    scope: ScopeRequest | None,
    audience: tuple[str, ...],
    claims: dict[str, object] | None,
    ttl: int,
) -> None:
    """Any token that is minted is ACTIVE under the right questions, and says what was asked for."""
    try:
        issued = desk.issue(
            app, subject, scope=scope, audience=audience, custom_claims=claims, lifetime=Ttl(Seconds(ttl))
        )
    except InvalidRequest as refused:
        # Deep data and long texts may go beyond a limit: nothing else may be wrong with them.
        if refused.reason is Reason.TOKEN_TOO_LARGE or "levels" in refused.violations[0].description:
            return
        raise
    verdict = desk.validate(
        app,
        issued.minted.text,
        call_cid=scope.call_cids[0] if scope and scope.call_cids else None,
        channel_cid=scope.channel_cids[0] if scope and scope.channel_cids else None,
        audience=audience[-1] if audience else None,
    )
    assert verdict.active
    assert verdict.token == issued.minted.token
    said = payload_of(issued.minted.text)
    assert said.get("custom") == whole(subject.custom)
    assert {name: said[name] for name in claims or {}} == whole(claims or {})
    assert (said.get("name", ""), said.get("image", "")) == (subject.name, subject.image)
