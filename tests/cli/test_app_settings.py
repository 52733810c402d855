"""``--set NAME=VALUE``: each value read by its field's type."""

from __future__ import annotations

import pytest

from authsvc.cli.app_settings import read_settings, setting_words
from authsvc.v1 import admin_pb2 as v1


def test_each_type_is_read() -> None:
    """Durations, switches, lists, enums by their own names, and text."""
    assignments = [
        "max_ttl=12h", "clock_skew=0", "guests_enabled=true", "anonymous_enabled=false", "default_audience=a, b",
        "algorithm=EdDSA", "profile=at+jwt", "issuer=https://auth.example/?a=b", "public_guests=true",
        "public_anonymous_cids=livestream:*,room:lobby",
    ]  # fmt: skip
    settings, names = read_settings(assignments)
    assert settings == v1.AppSettings(
        max_ttl={"seconds": 43200},  # type: ignore[arg-type]
        clock_skew={},  # type: ignore[arg-type]
        guests_enabled=True,
        default_audience=["a", "b"],
        algorithm=v1.ALGORITHM_EDDSA,
        profile=v1.PROFILE_AT_JWT,
        issuer="https://auth.example/?a=b",
        public_guests=True,
        public_anonymous_cids=["livestream:*", "room:lobby"],
    )
    assert names == [assignment.partition("=")[0] for assignment in assignments]


def test_an_empty_value_names_the_default() -> None:
    """A name without a value is in the mask and sets nothing, which the service takes as: back to the default."""
    names = [field.name for field in v1.AppSettings.DESCRIPTOR.fields]
    assert read_settings([f"{name}=" for name in names]) == (v1.AppSettings(), names)


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("max_tll=3h", "no setting is called 'max_tll': did you mean max_ttl?"),
        ("qqq=1", "no setting is called 'qqq': there are issuer, algorithm"),
        ("=1", "no setting is called ''"),
        ("max_ttl", "'max_ttl' is not NAME=VALUE"),
        ("max_ttl=soon", "max_ttl: 'soon' is not a duration"),
        ("guests_enabled=yes", "guests_enabled: 'yes' is none of true, false"),
        ("algorithm=es256", "algorithm: 'es256' is none of ES256, EdDSA, RS256, HS256"),
        ("profile=CLASSIC", r"profile: 'CLASSIC' is none of classic, at\+jwt"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(assignment: str, sentence: str) -> None:
    """A wrong name gets the nearest, a wrong value what would be right."""
    with pytest.raises(ValueError, match=sentence):
        read_settings([assignment])


def test_a_setting_given_twice_is_a_mistake() -> None:
    """Which of the two was meant is not for the command to say."""
    with pytest.raises(ValueError, match="max_ttl is given twice"):
        read_settings(["max_ttl=1h", "max_ttl=2h"])


def test_what_is_shown_can_be_set() -> None:
    """Every setting that is shown with a value reads back as the same settings."""
    settings, _ = read_settings(["max_ttl=12h", "guests_enabled=true", "anonymous_roles=a,b", "algorithm=HS256"])
    shown = [f"{name}={words}" for name, words in setting_words(settings) if words != "-"]
    assert read_settings(shown)[0] == settings


def test_every_setting_is_shown() -> None:
    """A setting that the contract gains is shown and can be set without a change here."""
    assert [name for name, _ in setting_words(v1.AppSettings())] == [
        field.name for field in v1.AppSettings.DESCRIPTOR.fields
    ]
