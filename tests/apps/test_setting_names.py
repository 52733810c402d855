"""Which settings there are: their defaults, and the paths of a mask."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from authsvc.apps.admin import AppsAdmin
from authsvc.apps.requests import SETTINGS, Span, Wish
from authsvc.errors import Conflict
from authsvc.model import Algorithm, App, AppSettings, Principal, Profile
from authsvc.v1 import admin_pb2
from tests.apps.wishing import faults_of, wishes
from tests.conftest import HandClock
from tests.rows import Rows
from tests.storage.crowd import all_at_once

DEFAULTS = AppSettings(
    issuer="https://ours",
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
    key_rotation_age=None,
    suspended=False,
)
OTHERS: dict[str, Wish] = {
    "issuer": "https://theirs",
    "default_ttl": Span(60),
    "max_ttl": Span(120),
    "allow_never_expires": True,
    "default_audience": ("a",),
    "session_idle_ttl": Span(60),
    "session_max_ttl": Span(120),
    "refresh_grace": Span(0),
    "refresh_replay_ttl": Span(0),
    "clock_skew": Span(0),
    "issued_at_backdate": Span(0),
    "guests_enabled": True,
    "anonymous_enabled": True,
    "anonymous_role": "looker",
    "anonymous_roles": ("host",),
    "allow_unscoped_anonymous": True,
    "allow_development_tokens": True,
    "public_guests": True,
    "public_anonymous_cids": ("livestream:*",),
    "key_rotation_age": Span(86_400),
    "suspended": True,
}
# Those that only some apps can have: tried by tests of their own.
WITH_CONDITIONS = {"algorithm", "profile", "accept_unmanaged_tokens"}


def _update(apps: AppsAdmin, root: Principal, mask: Iterable[str], **named: Wish) -> App:
    return apps.update(root, "acme", wishes(**named), tuple(mask), etag_version=None)


def test_an_app_without_wishes_has_the_defaults(apps: AppsAdmin, root: Principal) -> None:
    """Every setting that is not set has the default that the contract states."""
    assert apps.create(root, "acme", wishes()).settings == DEFAULTS


def test_a_setting_named_without_a_value_returns_to_its_default(apps: AppsAdmin, root: Principal) -> None:
    """A mask that names settings without values puts them all back."""
    changed = apps.create(root, "acme", wishes(**OTHERS)).settings
    assert [name for name in OTHERS if getattr(changed, name) == getattr(DEFAULTS, name)] == []
    assert _update(apps, root, SETTINGS).settings == DEFAULTS


def test_every_setting_of_the_contract_is_served() -> None:
    """No setting of the contract is accepted and then ignored."""
    assert sorted(SETTINGS) == sorted(admin_pb2.AppSettings.DESCRIPTOR.fields_by_name)
    assert set(OTHERS) | WITH_CONDITIONS == set(SETTINGS)


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_an_update_changes_the_named_setting_alone(
    apps: AppsAdmin, clock: HandClock, root: Principal, name: str
) -> None:
    """What the mask does not name stays, whatever is wished for it; the app's key, birth and name stay too."""
    made = apps.create(root, "acme", wishes(max_ttl=Span(3600), session_max_ttl=Span(1_209_600)))
    clock.move(hours=1)
    named = {**OTHERS, "max_ttl": Span(7200), "session_max_ttl": Span(2_000_000)}
    updated = _update(apps, root, [name], **named)
    expected = replace(made.settings, **{name: getattr(updated.settings, name)})
    assert updated.settings == expected != made.settings
    assert (updated.api_key, updated.created_at) == (made.api_key, made.created_at)
    assert (updated.version, updated.updated_at) == (made.version + 1, clock())


@pytest.mark.parametrize(
    ("mask", "fields"),
    [
        ((), ["update_mask"]),
        (("api_key",), ["update_mask.paths[0]"]),
        (("settings.max_ttl",), ["update_mask.paths[0]"]),
        (("maxTtl",), ["update_mask.paths[0]"]),
        (("*",), ["update_mask.paths[0]"]),
        (("max_ttl", "MAX_TTL", "max_ttl "), ["update_mask.paths[1]", "update_mask.paths[2]"]),
    ],
)
def test_a_mask_names_settings(
    apps: AppsAdmin, root: Principal, rows: Rows, mask: tuple[str, ...], fields: list[str]
) -> None:
    """An empty mask, and one with a path that is no setting, change nothing and are told."""
    apps.create(root, "acme", wishes())
    before = rows.everything()
    assert faults_of(partial(_update, apps, root, mask, **OTHERS)) == fields
    assert rows.everything() == before


def test_an_old_etag_is_a_conflict(apps: AppsAdmin, root: Principal, rows: Rows) -> None:
    """A change made on a state that is no longer there is refused; on the state that is there it is made."""
    first = apps.create(root, "acme", wishes())
    second = _update(apps, root, ["clock_skew"], clock_skew=Span(0))
    before = rows.everything()
    for stale in (first.version, second.version + 1, 0, -1):
        with pytest.raises(Conflict):
            apps.update(root, "acme", wishes(), ("clock_skew",), etag_version=stale)
        for suspended in (True, False):
            with pytest.raises(Conflict):
                apps.set_suspended(root, "acme", suspended, etag_version=stale)
    assert rows.everything() == before
    third = apps.update(root, "acme", wishes(), ("clock_skew",), etag_version=second.version)
    assert apps.set_suspended(root, "acme", True, etag_version=third.version).settings.suspended


def test_of_many_updates_of_one_state_one_is_made(apps: AppsAdmin, root: Principal) -> None:
    """Editors who all read the same state do not overwrite each other: one wins, the others hear of the conflict."""
    made = apps.create(root, "acme", wishes())
    attempts = [
        partial(apps.update, root, "acme", wishes(clock_skew=Span(n)), ("clock_skew",), etag_version=made.version)
        for n in range(8)
    ]
    outcomes = all_at_once(attempts)
    won = [outcome for outcome in outcomes if isinstance(outcome, App)]
    assert len(won) == 1
    assert [type(outcome) for outcome in outcomes].count(Conflict) == 7
    assert apps.get(root, "acme") == won[0]


def test_updates_without_an_etag_all_count(apps: AppsAdmin, root: Principal) -> None:
    """Changes of different settings at once are all kept: each is made on what the others left."""
    apps.create(root, "acme", wishes())
    names = [name for name in OTHERS if name not in ("max_ttl", "session_max_ttl")]
    outcomes = all_at_once([partial(_update, apps, root, [name], **OTHERS) for name in names])
    assert [outcome for outcome in outcomes if not isinstance(outcome, App)] == []
    settings = apps.get(root, "acme").settings
    assert [name for name in names if getattr(settings, name) == getattr(DEFAULTS, name)] == []
