"""Apps: round trips, uniqueness, edits."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta

import pytest

from authsvc.errors import AlreadyExists, NotFound, Reason
from authsvc.model import Algorithm, ApiKey, App, AppSettings, KeyId, KeyState, PastIssuer, Profile, Revision
from authsvc.storage.base import Store
from tests.storage.crowd import all_at_once
from tests.storage.places import START, SettableClock
from tests.storage.records import APP, a_key, an_app, an_audit, keep_app

MICROSECOND = timedelta(microseconds=1)

UNUSUAL = AppSettings(
    issuer="https://issuer.example/ü?a=b&c='d'\"",
    profile=Profile.AT_JWT,
    algorithm=Algorithm.HS256,
    default_ttl=timedelta(days=3, microseconds=7),
    max_ttl=timedelta(days=36500) - MICROSECOND,
    allow_never_expires=True,
    default_audience=("b", "a", ""),
    session_idle_ttl=MICROSECOND,
    session_max_ttl=timedelta(0),
    refresh_grace=timedelta(milliseconds=1),
    refresh_replay_ttl=timedelta(seconds=59),
    clock_skew=timedelta(seconds=1),
    issued_at_backdate=timedelta(seconds=2),
    guests_enabled=True,
    anonymous_enabled=True,
    anonymous_role="guest-viewer",
    anonymous_roles=("x", "y"),
    allow_unscoped_anonymous=True,
    accept_unmanaged_tokens=True,
    allow_development_tokens=True,
    public_guests=True,
    public_anonymous_cids=("livestream:*",),
    suspended=True,
    key_rotation_age=timedelta(days=30, microseconds=1),
)

ODD = ["a'b", 'a"b', "a b ", " a b", "a%_b", "\u00e9", "e\u0301", "\U0001f511", "a\nb", "--", "NULL", "0", "-1"]


class Apps:
    """``create_app``, ``edit_app`` and what ``trust_state`` shows of them."""

    def test_a_new_app_and_its_key_come_back_as_they_were(self, store: Store) -> None:
        """Every field of an app and of its key survives, moments to the microsecond, under one new revision."""
        app = an_app(
            settings=UNUSUAL,
            longest_ttl_ever=timedelta(days=10000, microseconds=1),
            longest_session_ever=MICROSECOND,
            ever_non_expiring=True,
            past_issuers=(PastIssuer("https://b.example", START + MICROSECOND), PastIssuer("", START)),
            version=7,
            created_at=START - timedelta(days=20000),
            updated_at=START + MICROSECOND,
        )
        key = a_key(
            algorithm=Algorithm.HS256,
            state=KeyState.RETIRED,
            public_jwk="",
            activated_at=START + MICROSECOND,
            retired_at=START + 2 * MICROSECOND,
            revoked_at=START + 3 * MICROSECOND,
            imported=True,
        )
        created = store.create_app(app, key, an_audit())
        state = store.trust_state()
        assert created == replace(app, revision=state.revision)
        assert state.apps == (created,)
        assert state.keys == (replace(key, revision=state.revision),)

    def test_every_setting_is_tried(self) -> None:
        """The round trip above changes every setting: a new one must be added to it."""
        same = [field.name for field in fields(AppSettings) if getattr(UNUSUAL, field.name) == field.default]
        assert same == []

    def test_a_taken_api_key_is_refused_and_nothing_changes(self, store: Store) -> None:
        """A second app with the same api_key raises APP_EXISTS and leaves no row and no revision behind."""
        keep_app(store)
        before = store.trust_state(), store.counts()
        with pytest.raises(AlreadyExists) as refusal:
            store.create_app(an_app(settings=UNUSUAL), a_key(key_id=KeyId("other")), an_audit())
        assert refusal.value.reason is Reason.APP_EXISTS
        assert (store.trust_state(), store.counts()) == before

    def test_two_that_create_one_app_end_with_one(self, store: Store) -> None:
        """Of many that create an app with one api_key at the same time, exactly one succeeds."""
        outcomes = all_at_once([lambda: keep_app(store)] * 8)
        assert sum(isinstance(outcome, App) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, AlreadyExists) for outcome in outcomes) == 7
        assert len(store.trust_state().apps) == len(store.trust_state().keys) == 1

    def test_identifiers_that_differ_only_in_case_differ(self, store: Store) -> None:
        """``acme`` and ``ACME`` are two apps, and an edit reaches the one that was named."""
        for api_key in ("acme", "ACME", "Acme"):
            keep_app(store, api_key)
        store.edit_app(ApiKey("Acme"), lambda app: replace(app, settings=UNUSUAL), an_audit())
        changed = [app.api_key for app in store.trust_state().apps if app.settings == UNUSUAL]
        assert changed == ["Acme"]
        assert len(store.trust_state().apps) == 3

    def test_odd_characters_are_kept_apart_and_unchanged(self, store: Store) -> None:
        """Quotes, spaces at the ends and differently composed letters are neither changed nor confused."""
        for api_key in ODD:
            keep_app(store, api_key)
        assert {app.api_key for app in store.trust_state().apps} == set(ODD)
        assert store.edit_app(ApiKey("e\u0301"), lambda app: app, an_audit()).api_key == "e\u0301"

    def test_an_edit_moves_version_revision_and_time(self, store: Store, clock: SettableClock) -> None:
        """An edit gives ``version + 1``, a new revision and the store's time, and keeps what it did not touch."""
        created = keep_app(store)
        now = clock.advance(timedelta(hours=1, microseconds=1))
        edited = store.edit_app(APP, lambda app: replace(app, settings=UNUSUAL, version=99), an_audit())
        revision = Revision(created.revision + 1)
        expected = replace(created, settings=UNUSUAL, version=2, revision=revision, updated_at=now)
        assert edited == expected
        assert store.trust_state().apps == (expected,)
        assert store.trust_state().revision == edited.revision

    def test_an_edit_sees_the_stored_app(self, store: Store) -> None:
        """What ``edit`` is given is the app as it is stored."""
        created = keep_app(store)
        seen = []

        def look(app: App) -> App:
            seen.append(app)
            return app

        store.edit_app(APP, look, an_audit())
        assert seen == [created]

    def test_what_an_edit_raises_passes_through(self, store: Store) -> None:
        """When ``edit`` raises, its own exception reaches the caller and nothing is changed."""
        keep_app(store)
        before = store.trust_state(), store.counts()
        with pytest.raises(ZeroDivisionError):
            store.edit_app(APP, lambda app: replace(app, version=1 // 0), an_audit())
        assert (store.trust_state(), store.counts()) == before

    def test_an_edit_cannot_rename(self, store: Store) -> None:
        """An edit that changes the api_key is a mistake of the program, and changes nothing."""
        keep_app(store)
        before = store.trust_state(), store.counts()
        with pytest.raises(ValueError, match="rename"):
            store.edit_app(APP, lambda app: replace(app, api_key=ApiKey("other")), an_audit())
        assert (store.trust_state(), store.counts()) == before

    def test_an_unknown_app_is_not_found(self, store: Store) -> None:
        """Editing an app that is not there raises APP_NOT_FOUND without calling ``edit``."""
        with pytest.raises(NotFound) as refusal:
            store.edit_app(APP, lambda app: replace(app, version=1 // 0), an_audit())
        assert refusal.value.reason is Reason.APP_NOT_FOUND

    def test_no_edit_comes_between(self, store: Store) -> None:
        """Edits that come at the same time each build on the one before: none is lost."""
        keep_app(store)

        def lengthen(app: App) -> App:
            return replace(app, longest_ttl_ever=app.longest_ttl_ever + MICROSECOND)

        all_at_once([lambda: [store.edit_app(APP, lengthen, an_audit()) for _ in range(10)]] * 16)
        (app,) = store.trust_state().apps
        assert app.version == 161
        assert app.longest_ttl_ever == timedelta(hours=1) + 160 * MICROSECOND
