"""The RPCs about apps, as an operator uses them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import pytest

from authsvc.v1 import admin_pb2
from tests.admin_rpc.asking import Scene
from tests.refusals import refusal_of

DEFAULTS: dict[str, Any] = {
    "issuer": "authsvc",
    "algorithm": admin_pb2.ALGORITHM_ES256,
    "profile": admin_pb2.PROFILE_CLASSIC,
    "default_ttl": timedelta(hours=1),
    "max_ttl": timedelta(hours=24),
    "session_idle_ttl": timedelta(days=14),
    "session_max_ttl": timedelta(days=90),
    "refresh_grace": timedelta(seconds=30),
    "refresh_replay_ttl": timedelta(hours=1),
    "clock_skew": timedelta(seconds=30),
    "issued_at_backdate": timedelta(seconds=5),
    "anonymous_role": "viewer",
}
CHOSEN: dict[str, Any] = {
    "issuer": "https://acme",
    "algorithm": admin_pb2.ALGORITHM_HS256,
    "profile": admin_pb2.PROFILE_CLASSIC,
    "default_ttl": timedelta(minutes=5),
    "max_ttl": timedelta(minutes=10),
    "allow_never_expires": True,
    "default_audience": ["a", "b"],
    "session_idle_ttl": timedelta(hours=1),
    "session_max_ttl": timedelta(hours=2),
    "refresh_grace": timedelta(0),
    "refresh_replay_ttl": timedelta(0),
    "clock_skew": timedelta(0),
    "issued_at_backdate": timedelta(0),
    "guests_enabled": True,
    "anonymous_enabled": True,
    "public_guests": True,
    "public_anonymous_cids": ["livestream:*", "room:lobby"],
    "anonymous_role": "looker",
    "anonymous_roles": ["host", "speaker"],
    "allow_unscoped_anonymous": True,
    "key_rotation_age": timedelta(days=30),
    "suspended": True,
}
LATER = [
    {"accept_unmanaged_tokens": True},  # of an app without an imported secret
    {"key_rotation_age": timedelta(0)},
    {"profile": 99},
    {"algorithm": 99},
]


def test_an_app_is_made_with_its_defaults(scene: Scene) -> None:
    """A new app shows its name, every default filled in, when it was made, and an etag."""
    app = scene.ask("CreateApp", api_key="new").app
    assert (app.api_key, app.settings) == ("new", admin_pb2.AppSettings(**DEFAULTS))
    moment = scene.server.clock()
    assert app.created_at.ToDatetime(moment.tzinfo) == app.updated_at.ToDatetime(moment.tzinfo) == moment
    assert app.etag


def test_an_app_is_made_with_the_settings_asked_for(scene: Scene) -> None:
    """Every setting that this version serves goes in and comes out as it was, zero durations too."""
    settings = admin_pb2.AppSettings(**CHOSEN)
    assert scene.ask("CreateApp", api_key="new", settings=settings).app.settings == settings
    assert scene.ask("GetApp", api_key="new").app.settings == settings


def test_an_app_without_a_name_gets_one(scene: Scene) -> None:
    """With an empty api_key one is made, and it names the app from then on."""
    app = scene.ask("CreateApp").app
    assert len(app.api_key) == 12
    assert scene.ask("GetApp", api_key=app.api_key).app == app


def test_an_update_changes_what_its_mask_names(scene: Scene) -> None:
    """Only named settings change; one named without a value returns to its default; what was read stays readable."""
    before = scene.ask("CreateApp", api_key="new", settings=CHOSEN).app
    scene.server.clock.move(hours=1)
    after = scene.ask(
        "UpdateApp",
        api_key="new",
        settings={"guests_enabled": False, "max_ttl": timedelta(hours=3), "issuer": "ignored"},
        update_mask={"paths": ["guests_enabled", "max_ttl", "default_audience", "clock_skew"]},
    ).app
    expected = admin_pb2.AppSettings(**CHOSEN)
    expected.guests_enabled = False
    expected.max_ttl.FromTimedelta(timedelta(hours=3))
    expected.clock_skew.FromTimedelta(timedelta(seconds=30))
    del expected.default_audience[:]
    assert after.settings == expected
    assert after.created_at == before.created_at
    assert after.updated_at.seconds == before.updated_at.seconds + 3600
    assert scene.ask("GetApp", api_key="new").app == after


@pytest.mark.parametrize("settings", LATER, ids=lambda settings: repr(settings))
def test_a_setting_of_a_later_version_is_refused_by_name(scene: Scene, settings: dict[str, Any]) -> None:
    """What this version does not serve is refused at creation and at update, and the refusal names the setting."""
    (name,) = settings
    for method, more in (("CreateApp", {}), ("UpdateApp", {"update_mask": {"paths": [name]}})):
        refusal = refusal_of(
            lambda method=method, more=more: scene.ask(  # type: ignore[misc]
                method, api_key="new" if method == "CreateApp" else "acme", settings=settings, **more
            )
        )
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
        assert refusal.fields == (f"settings.{name}",)
    assert refusal_of(lambda: scene.ask("GetApp", api_key="new")).reason == "APP_NOT_FOUND"


def test_every_fault_is_named_at_once(scene: Scene) -> None:
    """One answer names all faults of a request: name, bounds, forms and settings of a later version."""
    refusal = refusal_of(
        lambda: scene.ask(
            "CreateApp",
            api_key="no good",
            settings={
                "issuer": "ä",
                "max_ttl": timedelta(days=-1),
                "refresh_grace": timedelta(seconds=61),
                "anonymous_roles": ["A"],
                "accept_unmanaged_tokens": True,
            },
        )
    )
    assert set(refusal.fields) == {
        "api_key",
        "settings.issuer",
        "settings.max_ttl",
        "settings.refresh_grace",
        "settings.anonymous_roles",
        "settings.accept_unmanaged_tokens",
    }


def test_more_faults_than_fit_are_counted(scene: Scene) -> None:
    """Of twenty faults sixteen are named, and the rest are counted."""
    paths = [f"nothing_{number}" for number in range(20)]
    refusal = refusal_of(lambda: scene.ask("UpdateApp", api_key="acme", update_mask={"paths": paths}))
    assert refusal.fields == (*(f"update_mask.paths[{number}]" for number in range(16)), "…")


def test_suspending_shows_and_resuming_ends_it(scene: Scene) -> None:
    """The answer to each call shows the app as it is now; a second call changes nothing more."""
    for method, suspended in (("SuspendApp", True), ("ResumeApp", False)):
        first = scene.ask(method, api_key="acme").app
        assert first.settings.suspended is suspended
        assert scene.ask(method, api_key="acme").app == first
        assert scene.ask("GetApp", api_key="acme").app == first
