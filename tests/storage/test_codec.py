"""Records as JSON text: everything comes back, and what another version wrote is refused."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authsvc.model import AppSettings, Permission, User, UserId
from authsvc.storage.errors import StoredDataInvalid
from authsvc.storage.texts import (
    claims_from,
    claims_text,
    past_issuers_from,
    rights_from,
    rights_text,
    settings_from,
    settings_text,
)
from tests.storage.records import SARA, a_session, an_account


@given(st.builds(AppSettings))
def test_settings_come_back(chosen: AppSettings) -> None:
    """Whatever the settings, their text reads as the same settings, and is ASCII."""
    text = settings_text(chosen)
    assert settings_from(text) == chosen
    assert text.isascii()


def test_settings_name_all_they_have() -> None:
    """A stored setting does not follow a later change of its default: each one is written."""
    assert json.loads(settings_text(AppSettings())).keys() == {field.name for field in fields(AppSettings)}


def test_what_is_not_set_takes_no_room() -> None:
    """A session without attributes has an empty object."""
    assert claims_text(a_session(user=User(SARA))) == "{}"


@pytest.mark.parametrize("name", [field.name for field in fields(AppSettings)])
def test_a_missing_setting_has_its_default(name: str) -> None:
    """A setting that was added after the app was stored takes its default."""
    stored = json.loads(settings_text(AppSettings()))
    del stored[name]
    assert settings_from(json.dumps(stored)) == AppSettings()


def test_an_unknown_setting_is_refused() -> None:
    """A name this version does not know is refused with the name: ignoring it could switch a rule off."""
    with pytest.raises(StoredDataInvalid, match="AppSettings has the unknown name 'quantum'"):
        settings_from('{"quantum": true}')


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("issuer", 1),
        ("issuer", None),
        ("default_ttl", 1.5),
        ("default_ttl", True),
        ("default_ttl", "60"),
        ("suspended", 1),
        ("suspended", "false"),
        ("default_audience", "a"),
        ("default_audience", [1]),
        ("algorithm", "none"),
        ("algorithm", 0),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, value: Any) -> None:
    """A value that is not of the field's type is refused, and the message does not repeat it."""
    with pytest.raises(StoredDataInvalid, match=f"no such value for '{name}'"):
        settings_from(json.dumps({name: value}))


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "null", '"a"'])
def test_what_is_no_object_is_refused(text: str) -> None:
    """A text that is not one JSON object is refused."""
    with pytest.raises(StoredDataInvalid):
        settings_from(text)


@pytest.mark.parametrize("text", ["{}", "null", "[[]]", '[{"issuer": "a"}]'])
def test_a_past_issuer_needs_all_its_fields(text: str) -> None:
    """A record without defaults is refused when a field is missing."""
    with pytest.raises(StoredDataInvalid):
        past_issuers_from(text)


def test_rights_come_back() -> None:
    """Permissions and apps are sets, audiences keep their order; an unknown permission is refused."""
    account = an_account(permissions=frozenset(Permission), audiences=("b", "a"))
    rights = rights_from(rights_text(account))
    assert rights == {name: getattr(account, name) for name in ("permissions", "all_apps", "apps", "audiences")}
    with pytest.raises(StoredDataInvalid, match="permissions"):
        rights_from('{"permissions": ["world.end"], "all_apps": false, "apps": [], "audiences": []}')


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_custom_data_comes_back(custom: dict[str, object]) -> None:
    """Any JSON object survives as custom data, to the last digit."""
    session = a_session(user=User(UserId("u"), custom=custom), custom_claims=custom)
    found = claims_from(UserId("u"), claims_text(session))
    assert found["user"].custom == custom
    assert found["custom_claims"] == custom


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", object()])
def test_what_json_cannot_say_is_a_mistake(value: object) -> None:
    """What would not come back as it was is refused when it is to be kept."""
    with pytest.raises((TypeError, ValueError)):
        claims_text(a_session(custom_claims={"a": value}))
