"""The bounds of each setting, on both sides, at creation and at update."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from authsvc.apps.admin import AppsAdmin
from authsvc.apps.requests import Span, Wish
from authsvc.model import APP_ALGORITHMS, Algorithm, AppSettings, Principal, Profile
from tests.apps.wishing import SECOND, a_span, faults_of, wishes
from tests.rows import Rows

DECADE = timedelta(days=3650)
NOTHING = timedelta(0)

# Each with what else must be set for its own bound to be the one that decides.
BOUNDS: dict[str, tuple[timedelta, timedelta, dict[str, Wish]]] = {
    "default_ttl": (SECOND, DECADE, {"max_ttl": a_span(DECADE)}),
    "max_ttl": (SECOND, DECADE, {"default_ttl": Span(1)}),
    "session_idle_ttl": (SECOND, DECADE, {"session_max_ttl": a_span(DECADE)}),
    "session_max_ttl": (SECOND, DECADE, {"session_idle_ttl": Span(1)}),
    "refresh_grace": (NOTHING, timedelta(seconds=60), {}),
    "refresh_replay_ttl": (NOTHING, timedelta(hours=24), {}),
    "clock_skew": (NOTHING, timedelta(seconds=120), {}),
    "issued_at_backdate": (NOTHING, timedelta(seconds=300), {}),
    "key_rotation_age": (timedelta(hours=1), DECADE, {}),
}
DURATIONS = pytest.mark.parametrize(("name", "bounds"), BOUNDS.items(), ids=BOUNDS.keys())
Bounds = tuple[timedelta, timedelta, dict[str, Wish]]


@pytest.fixture(params=["create", "update"])
def settings_for(request: pytest.FixtureRequest, apps: AppsAdmin, root: Principal) -> Any:
    """Asks for settings, once by making an app and once by changing one; returns what they became."""
    made = apps.create(root, "changed", wishes())

    def ask(**named: Wish) -> AppSettings:
        if request.param == "create":
            return apps.create(root, "", wishes(**named)).settings
        return apps.update(root, made.api_key, wishes(**named), tuple(named), etag_version=None).settings

    return ask


@DURATIONS
def test_a_duration_within_its_bounds_is_taken(settings_for: Any, name: str, bounds: Bounds) -> None:
    """The shortest and the longest duration are taken as they are; 0 where it has a meaning."""
    shortest, longest, others = bounds
    for length in (shortest, shortest + SECOND, longest):
        assert getattr(settings_for(**{**others, name: a_span(length)}), name) == length


@DURATIONS
def test_a_duration_outside_its_bounds_is_refused(settings_for: Any, name: str, bounds: Bounds) -> None:
    """A second less, a second more, the negative and the absurd are each a fault of that setting alone."""
    shortest, longest, others = bounds
    below, above = shortest - SECOND, longest + SECOND
    for wish in (a_span(below), a_span(above), a_span(-longest), Span(2**62), Span(-(2**62))):
        assert faults_of(partial(settings_for, **{**others, name: wish})) == [f"settings.{name}"], wish


@DURATIONS
@pytest.mark.parametrize("nanos", [1, 999_999_999, -1])
def test_a_fraction_of_a_second_is_refused(settings_for: Any, name: str, bounds: Bounds, nanos: int) -> None:
    """Durations are whole seconds: a fraction is a fault, never rounded."""
    shortest, _, others = bounds
    wish = Span(shortest // SECOND + 1, nanos)
    assert faults_of(partial(settings_for, **{**others, name: wish})) == [f"settings.{name}"]


TEXTS: list[tuple[str, list[Wish], list[Wish]]] = [
    (
        "issuer",
        ["a", "!", "~", "https://issuer.example/path?x#y", "i" * 256],
        [" ", "a b", "i" * 257, "ä", "a\n", "a\0", "\x7f"],
    ),
    (
        "anonymous_role",
        ["a", "viewer", "a0_-", "r" * 64],
        ["A", "0a", "_a", "-a", "r" * 65, "vie wer", "é", "viewer\n"],
    ),
    (
        "anonymous_roles",
        [("a",), ("viewer", "listener"), tuple(f"r{n}" for n in range(20))],
        [("",), ("A",), ("a", "a"), ("a", "b c"), ("r" * 65,), tuple(f"r{n}" for n in range(21))],
    ),
    (
        "public_anonymous_cids",
        [("a:*",), ("livestream:public-*", "room:lobby"), tuple(f"t{n}:*" for n in range(50))],
        [("",), ("*",), ("*:*",), ("a",), ("a:",), ("a:x*y",), ("a:*", "a:*"), tuple(f"t{n}:*" for n in range(51))],
    ),
    (
        "default_audience",
        [("a",), ("a", "A"), ("ä b",), ("a" * 256,), tuple(map(str, range(20)))],
        [("",), ("a", "a"), ("a" * 257,), tuple(map(str, range(21)))],
    ),
    ("profile", [Profile.CLASSIC.value, "at+jwt"], ["at-jwt", "Classic", "number 9"]),
]
SERVED_TEXTS = [(name, wish) for name, taken, _ in TEXTS for wish in taken]
REFUSED_TEXTS = [(name, wish) for name, _, refused in TEXTS for wish in refused]


@pytest.mark.parametrize(("name", "wish"), SERVED_TEXTS)
def test_a_text_within_the_form_is_taken(settings_for: Any, name: str, wish: Wish) -> None:
    """A text or list of the right form is taken as it is."""
    assert getattr(settings_for(**{name: wish}), name) == wish


@pytest.mark.parametrize(("name", "wish"), REFUSED_TEXTS)
def test_a_text_outside_the_form_is_refused(settings_for: Any, name: str, wish: Wish) -> None:
    """A text or list of another form is a fault of that setting alone."""
    assert faults_of(partial(settings_for, **{name: wish})) == [f"settings.{name}"]


@pytest.mark.parametrize("algorithm", APP_ALGORITHMS)
def test_an_app_is_made_with_the_algorithm_asked_for(apps: AppsAdmin, root: Principal, algorithm: Algorithm) -> None:
    """Each algorithm that the contract names can be chosen for a new app."""
    assert apps.create(root, "", wishes(algorithm=algorithm.value)).settings.algorithm is algorithm


@pytest.mark.parametrize("wish", ["none", "es256", "ES384", "PS256", "HS512", "number 9"])
def test_no_other_algorithm_is_taken(settings_for: Any, wish: str) -> None:
    """An algorithm that the contract does not name is a fault, also where the verifier knows it."""
    assert faults_of(partial(settings_for, algorithm=wish)) == ["settings.algorithm"]


@pytest.mark.parametrize(
    "name",
    [
        "allow_never_expires",
        "guests_enabled",
        "anonymous_enabled",
        "allow_unscoped_anonymous",
        "suspended",
    ],
)
def test_a_switch_can_be_on_and_off(apps: AppsAdmin, root: Principal, name: str) -> None:
    """Switches are off unless set, and can be set and unset again."""
    assert getattr(apps.create(root, "off", wishes()).settings, name) is False
    assert getattr(apps.create(root, "on", wishes(**{name: True})).settings, name) is True
    for wish in (False, True):
        updated = apps.update(root, "on", wishes(**{name: wish}), (name,), etag_version=None)
        assert getattr(updated.settings, name) is wish


@pytest.mark.parametrize(("shorter", "longer"), [("default_ttl", "max_ttl"), ("session_idle_ttl", "session_max_ttl")])
def test_two_lifetimes_fit_each_other(settings_for: Any, shorter: str, longer: str) -> None:
    """The usual lifetime may be as long as the longest, and not a second longer."""
    settings = settings_for(**{shorter: Span(60), longer: Span(60)})
    assert getattr(settings, shorter) == getattr(settings, longer) == timedelta(seconds=60)
    assert faults_of(partial(settings_for, **{shorter: Span(61), longer: Span(60)})) == [f"settings.{shorter}"]


def test_an_update_is_judged_with_what_stays(apps: AppsAdmin, root: Principal, rows: Rows) -> None:
    """A longest lifetime below the usual one that stays is refused, although it is within its own bounds."""
    apps.create(root, "acme", wishes(default_ttl=Span(600)))
    before = rows.everything()
    lower = partial(apps.update, root, "acme", etag_version=None)
    assert faults_of(partial(lower, wishes(max_ttl=Span(599)), ("max_ttl",))) == ["settings.default_ttl"]
    assert rows.everything() == before
    assert lower(wishes(max_ttl=Span(600)), ("max_ttl",)).settings.max_ttl == timedelta(seconds=600)


def test_every_fault_is_named_once(apps: AppsAdmin, root: Principal, rows: Rows) -> None:
    """A request with many faults is told each of them and none that only follows from another."""
    before = rows.everything()
    wrong: dict[str, Wish] = {
        "issuer": "not one",
        "algorithm": "none",
        "profile": "at-jwt",
        "max_ttl": Span(0),
        "session_max_ttl": Span(-1),
        "refresh_grace": Span(61),
        "clock_skew": Span(1, 1),
        "anonymous_role": "No",
        "anonymous_roles": ("A",),
    }
    assert sorted(faults_of(partial(apps.create, root, "no key", wishes(**wrong)))) == sorted(
        ["api_key", *(f"settings.{name}" for name in wrong)]
    )
    assert rows.everything() == before


def test_a_faulty_lifetime_is_not_compared(settings_for: Any) -> None:
    """A lifetime that is out of bounds is told as such, and not a second time as too long for the other one."""
    assert faults_of(partial(settings_for, default_ttl=Span(0), max_ttl=Span(10))) == ["settings.default_ttl"]
    assert faults_of(partial(settings_for, default_ttl=Span(10), max_ttl=Span(0))) == ["settings.max_ttl"]


def test_lifetimes_that_do_not_fit_are_told_beside_other_faults(settings_for: Any) -> None:
    """A fault elsewhere hides nothing: what does not fit together is told in the same answer."""
    wrong: dict[str, Wish] = {"default_ttl": Span(20), "max_ttl": Span(10), "refresh_grace": Span(61)}
    assert sorted(faults_of(partial(settings_for, **wrong))) == ["settings.default_ttl", "settings.refresh_grace"]
