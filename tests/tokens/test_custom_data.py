"""Custom claims and custom data: JSON that every reader reads alike, and no name that means something to others."""

from __future__ import annotations

import math

import pytest

from authsvc.errors import Reason
from authsvc.rpc.convert import UNSET
from authsvc.tokens.requests import GuestSubject, UserSubject
from tests.tokens.service import Service, payload_of, violations

RFC_7519 = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"]
OURS = ["user_id", "role", "name", "image", "custom", "call_cids", "channel_cids", "sid"]
OF_OTHERS = ["scope", "client_id", "server", "cnf", "act", "typ", "kid"]


@pytest.fixture(scope="module")
def app(desk: Service) -> str:
    """An app with guests."""
    return desk.app(guests_enabled=True)


@pytest.mark.parametrize("name", RFC_7519 + OURS + OF_OTHERS)
def test_reserved_names(desk: Service, app: str, name: str) -> None:
    """No custom claim can have a name that is ours, the standard's, or means something to others."""
    refused = violations(desk, app, custom_claims={name: "x", "harmless": 1.0})
    assert {field: violation.reason for field, violation in refused.items()} == {
        f"custom_claims.{name}": Reason.RESERVED_CLAIM
    }
    assert violations(desk, app, custom_claims={f"{name}_": "x", name.upper(): "x", f"my_{name}": "x"}) == {}


def test_reserved_names_are_free_within(desk: Service, app: str) -> None:
    """Only the outermost names are claims: deeper down, and in custom data, any name will do."""
    everything: dict[str, object] = dict.fromkeys(RFC_7519 + OURS + OF_OTHERS, "x")
    issued = desk.issue(app, UserSubject("sara", custom=everything), custom_claims={"mine": everything})
    said = payload_of(issued.minted.text)
    assert said["custom"] == said["mine"] == everything
    assert desk.validate(app, issued.minted.text).active


NUMBERS = [
    (1.0, 1),
    (0.0, 0),
    (-0.0, 0),
    (-7.0, -7),
    (2.0**53 - 1, 2**53 - 1),
    (-(2.0**53) + 1, -(2**53) + 1),
    (0.5, 0.5),
    (-1.25e-300, -1.25e-300),
    (2251799813685249.5, 2251799813685249.5),
]


@pytest.mark.parametrize(("sent", "said"), NUMBERS)
def test_numbers(desk: Service, app: str, sent: float, said: float) -> None:
    """Whole numbers that a double holds exactly are integers in the token, everything else stays as it is."""
    value = payload_of(desk.issue(app, custom_claims={"n": sent, "deep": [{"n": sent}]}).minted.text)
    assert value["n"] == said
    assert type(value["n"]) is type(said)
    assert value["deep"] == [{"n": said}]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 2.0**53, -(2.0**53), 2.0**53 + 2, 1e300, -1e22])
@pytest.mark.parametrize("where", ["custom_claims", "user.custom"])
def test_no_numbers(desk: Service, app: str, number: float, where: str) -> None:
    """What is no number, or a whole one that shares its double with another, is refused by its place."""
    value = {"a": [1.0, {"b": number}]}
    refused = (
        violations(desk, app, custom_claims=value)
        if where == "custom_claims"
        else violations(desk, app, UserSubject("sara", custom=value))
    )
    assert list(refused) == [f"{where}.a[1].b"]


@pytest.mark.parametrize("value", [UNSET, b"bytes", {1, 2}, object()], ids=["unset", "bytes", "a set", "an object"])
def test_no_values_that_are_not_json(desk: Service, app: str, value: object) -> None:
    """A value that was left unset, or has no form in JSON, is refused by its place; null is a value."""
    assert list(violations(desk, app, custom_claims={"a": {"b": value}})) == ["custom_claims.a.b"]
    assert list(violations(desk, app, custom_claims={"a": [value]})) == ["custom_claims.a[0]"]
    assert violations(desk, app, custom_claims={"a": {"b": None, "c": [None]}}) == {}


def nested(depth: int, innermost: object = "x") -> object:
    """A value in so many objects."""
    for _ in range(depth):
        innermost = {"a": innermost}
    return innermost


def nested_lists(depth: int) -> object:
    innermost: object = "x"
    for _ in range(depth):
        innermost = [innermost]
    return innermost


@pytest.mark.parametrize("value", [nested(7), nested_lists(7), nested(6, [1.0]), nested(6, {}), nested_lists(6)])
def test_eight_levels_within_a_token(desk: Service, app: str, value: object) -> None:
    """A claim may nest seven deep, which with the payload's own object makes eight; a verifier accepts that."""
    issued = desk.issue(app, custom_claims={"c": value})
    assert desk.validate(app, issued.minted.text).active


@pytest.mark.parametrize(
    "value", [nested(8), nested_lists(8), nested(7, []), nested(7, {}), nested(200), nested_lists(200)]
)
def test_no_nine_levels(desk: Service, app: str, value: object) -> None:
    """One level more is refused."""
    refused = violations(desk, app, custom_claims={"c": value})
    assert len(refused) == 1
    assert "deeper than 8" in next(iter(refused.values())).description


@pytest.mark.parametrize("subject", [UserSubject("sara"), GuestSubject()], ids=["user", "guest"])
def test_custom_data_lies_one_level_deeper(desk: Service, app: str, subject: UserSubject | GuestSubject) -> None:
    """Custom data is the value of a claim, so it has one level less."""
    issued = desk.issue(app, subject._replace(custom={"c": nested(6)}))
    assert desk.validate(app, issued.minted.text).active
    assert len(violations(desk, app, subject._replace(custom={"c": nested(7)}))) == 1


def members(count: int) -> dict[str, object]:
    return {f"m{number}": "x" for number in range(count)}


def test_64_members_an_object(desk: Service, app: str) -> None:
    """An object within has up to 64 members."""
    issued = desk.issue(app, UserSubject("sara", custom=members(64)), custom_claims={"c": members(64)})
    assert desk.validate(app, issued.minted.text).active
    assert list(violations(desk, app, custom_claims={"c": members(65)})) == ["custom_claims.c"]
    assert list(violations(desk, app, UserSubject("sara", custom=members(65)))) == ["user.custom"]
    assert list(violations(desk, app, custom_claims=members(65))) == ["custom_claims"]


def test_64_claims_in_all(desk: Service, app: str) -> None:
    """A token has up to 64 claims, those of ours counted."""
    always = len(payload_of(desk.issue(app).minted.text))
    issued = desk.issue(app, custom_claims=members(64 - always))
    assert desk.validate(app, issued.minted.text).active
    refused = violations(desk, app, custom_claims=members(65 - always))
    assert list(refused) == ["custom_claims"]
    assert "64" in refused["custom_claims"].description


@pytest.mark.parametrize("where", ["custom_claims", "user.custom", "guest.custom"])
def test_what_is_there_is_not_empty(desk: Service, app: str, where: str) -> None:
    """Custom claims or data that are present but empty are a mistake, and so is a member without a name."""
    for value, told in (({}, "present but empty"), ({"": "x"}, "without a name")):
        refused = {
            "custom_claims": lambda value=value: violations(desk, app, custom_claims=value),
            "user.custom": lambda value=value: violations(desk, app, UserSubject("sara", custom=value)),
            "guest.custom": lambda value=value: violations(desk, app, GuestSubject(custom=value)),
        }[where]()
        assert list(refused) == [where]
        assert told in refused[where].description


def test_texts_arrive_as_they_are(desk: Service, app: str) -> None:
    """Any text arrives unchanged, in names as in values."""
    texts: dict[str, object] = {"\0": "\x7f~?>", "Š😀\u2028": "</script>", '"\\': "\ufeff", " ": "é" * 20}
    issued = desk.issue(app, UserSubject("sara", name="\0\n😀", image="x\ty", custom=texts), custom_claims=texts)
    verdict = desk.validate(app, issued.minted.text)
    assert verdict.token is not None
    assert verdict.token.claims.custom_claims == verdict.token.claims.user.custom == texts
    assert (verdict.token.claims.user.name, verdict.token.claims.user.image) == ("\0\n😀", "x\ty")
