"""The records: frozen, comparable, with the defaults that were promised."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import uuid
from datetime import timedelta
from typing import Any

import pytest

from authsvc import model
from authsvc.model import (
    Algorithm,
    ApiKey,
    AppSettings,
    Permission,
    Principal,
    Profile,
    SessionId,
    TokenScope,
    session_text,
)
from tests.storage.records import a_key, a_session, an_account, an_app, an_audit
from tests.tokens.service import a_principal

RECORDS = [value for value in vars(model).values() if isinstance(value, type) and dataclasses.is_dataclass(value)]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_record_is_frozen_and_slotted(record: type) -> None:
    """No record can be changed, nor given a field that it does not have."""
    assert record.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert hasattr(record, "__slots__")


@pytest.mark.parametrize(
    "record",
    [an_app(), a_key(), an_account(), a_session(), a_session().user, TokenScope(), an_audit(), a_principal()],
    ids=lambda one: type(one).__name__,
)
def test_a_record_is_a_value(record: object) -> None:
    """A record equals its copy and survives pickling, and assigning to it fails."""
    assert copy.deepcopy(record) == record == pickle.loads(pickle.dumps(record))  # noqa: S301 - our own bytes
    with pytest.raises(AttributeError):  # FrozenInstanceError is one
        setattr(record, _first_field(record), "x")


def _first_field(record: Any) -> str:
    return dataclasses.fields(record)[0].name if dataclasses.is_dataclass(record) else str(record._fields[0])


def test_there_are_records() -> None:
    """The tests above have something to look at."""
    assert len(RECORDS) >= 15


def test_the_defaults_of_an_app() -> None:
    """A new app's settings are those the contract names."""
    assert AppSettings() == AppSettings(
        issuer="",
        algorithm=Algorithm.ES256,
        profile=Profile.CLASSIC,
        default_ttl=timedelta(hours=1),
        max_ttl=timedelta(hours=24),
        allow_never_expires=False,
        default_audience=(),
        session_idle_ttl=timedelta(days=14),
        session_max_ttl=timedelta(days=90),
        refresh_grace=timedelta(seconds=30),
        refresh_replay_ttl=timedelta(hours=1),
        clock_skew=timedelta(seconds=30),
        issued_at_backdate=timedelta(seconds=5),
        guests_enabled=False,
        anonymous_enabled=False,
        anonymous_role="viewer",
        anonymous_roles=(),
        allow_unscoped_anonymous=False,
        suspended=False,
    )


def test_permissions_have_the_names_of_the_contract() -> None:
    """Permissions are what the method options in the protos name."""
    assert set(Permission) == {
        "tokens.issue",
        "tokens.refresh",
        "tokens.validate",
        "tokens.revoke",
        "trust.read",
        "admin.read",
        "admin.write",
    }


def test_a_session_id_as_text() -> None:
    """A session id is shown as a lower-case UUID with hyphens, and no two look alike."""
    raw = bytes.fromhex("00ABCDEF0405460788090a0b0c0d0e0f")
    assert session_text(SessionId(raw)) == "00abcdef-0405-4607-8809-0a0b0c0d0e0f"
    made = [SessionId(uuid.uuid4().bytes) for _ in range(100)]
    assert [uuid.UUID(session_text(one)).bytes for one in made] == made


@pytest.mark.parametrize(
    ("calls", "channels", "limited"),
    [((), (), False), (("a:1",), (), True), ((), ("a:1",), True), (("a:1",), ("b:1",), True)],
)
def test_when_a_scope_limits(calls: tuple[str, ...], channels: tuple[str, ...], limited: bool) -> None:
    """A scope limits as soon as it lists anything."""
    assert TokenScope(calls, channels).limited is limited


ACME = ApiKey("acme")


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [
        (a_principal(), True),
        (a_principal(apps=frozenset({ACME})), True),
        (a_principal(apps=frozenset({ApiKey("ACME"), ApiKey("acme "), ApiKey("")})), False),
        (a_principal(apps=frozenset(), all_apps=False), False),
        (a_principal(apps=frozenset({ApiKey("other")}), all_apps=True), True),
    ],
)
def test_whom_a_caller_acts_for(principal: Principal, allowed: bool) -> None:
    """A caller acts for all apps, or for those it lists by their exact names."""
    assert principal.may_act_for(ACME) is allowed
