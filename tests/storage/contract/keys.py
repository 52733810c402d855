"""An app's keys are edited as a whole: under one revision, and so that two are never active."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from authsvc.errors import NotFound, Reason
from authsvc.model import Algorithm, ApiKey, Commit, Gone, KeyId, KeyRecord, KeyState, Revision, Subject
from authsvc.storage.base import Store
from tests.storage.crowd import all_at_once
from tests.storage.places import START
from tests.storage.records import APP, a_key, an_audit, keep_app

HOUR = timedelta(hours=1)

Keys_ = tuple[KeyRecord, ...]
Edit = Callable[[Keys_], Keys_]


def pending(key_id: str = "key-2", **changes: Any) -> KeyRecord:
    """A key that does not sign yet."""
    return a_key(**{"key_id": KeyId(key_id), "state": KeyState.PENDING, "activated_at": None, **changes})


def rotated(keys: Keys_) -> Keys_:
    """The active key retired, the pending one active."""
    now = {KeyState.ACTIVE: KeyState.RETIRED, KeyState.PENDING: KeyState.ACTIVE}
    return tuple(replace(key, state=now.get(key.state, key.state)) for key in keys)


WRONG: dict[str, Edit] = {
    "two active": lambda keys: (*keys, pending(state=KeyState.ACTIVE)),
    "another app's": lambda keys: (*keys, pending(api_key=ApiKey("other"))),
    "one id twice": lambda keys: (*keys, pending(), pending()),
}


class Keys:
    """``edit_keys``."""

    def test_a_key_is_added(self, store: Store) -> None:
        """A new key is kept with every field, under a new revision; the key beside it keeps its own."""
        keep_app(store)
        (first,) = store.trust_state().keys
        new = pending(
            algorithm=Algorithm.HS256,
            sealed=b"\x00\xff",
            public_jwk="",
            created_at=START + HOUR,
            activated_at=START + timedelta(microseconds=1),
            retired_at=START + 2 * HOUR,
            revoked_at=START + 3 * HOUR,
            imported=True,
        )
        kept = store.edit_keys(APP, lambda keys: (*keys, new), an_audit())
        assert kept == (first, replace(new, revision=Revision(first.revision + 1))) == store.trust_state().keys
        assert store.trust_state().revision == first.revision + 1

    def test_the_edit_sees_all_keys_oldest_first(self, store: Store) -> None:
        """The callback gets the app's own keys, by age and then id, whatever order they were kept in."""
        keep_app(store)
        keep_app(store, "other")
        added = [pending("b", created_at=START + HOUR), pending("c", created_at=START - HOUR), pending("a")]
        kept = store.edit_keys(APP, lambda keys: (*keys, *added), an_audit())
        seen: list[Keys_] = []

        def look(keys: Keys_) -> Keys_:
            seen.append(keys)
            return keys

        store.edit_keys(APP, look, an_audit())
        assert seen == [kept]
        assert [key.key_id for key in kept] == ["c", "a", "key-1", "b"]

    @pytest.mark.parametrize("age", [-HOUR, HOUR])
    def test_a_rotation_is_one_commit(self, store: Store, age: timedelta) -> None:
        """Two keys change places under one revision, whichever is older: a feed row each, one audit row or none."""
        keep_app(store)
        before = store.edit_keys(APP, lambda keys: (*keys, pending(created_at=START + age)), an_audit())
        counts, heard = store.counts(), list[Commit]()
        store.listen(heard.append)
        after = store.edit_keys(APP, rotated, an_audit())
        assert {key.key_id: key.state for key in after} == {"key-1": KeyState.RETIRED, "key-2": KeyState.ACTIVE}
        revision = Revision(max(key.revision for key in before) + 1)
        assert [key.revision for key in after] == [revision] * 2
        assert [(commit.revision, set(commit.changes)) for commit in heard] == [(revision, set(after))]
        assert store.counts() == {**counts, "feed": counts["feed"] + 2, "audit": counts["audit"] + 1}
        store.edit_keys(APP, lambda keys: (), None)
        assert store.counts()["audit"] == counts["audit"] + 1

    def test_what_is_left_out_is_gone(self, store: Store) -> None:
        """A key that the edit does not return is removed, and the feed says so to listeners and followers."""
        keep_app(store)
        first, second = store.edit_keys(APP, lambda keys: (*keys, pending()), an_audit())
        heard: list[Commit] = []
        store.listen(heard.append)
        assert store.edit_keys(APP, lambda keys: (second,), an_audit()) == (second,) == store.trust_state().keys
        revision = Revision(second.revision + 1)
        assert heard == [Commit(revision, (Gone(Subject.KEY, APP, first.key_id, revision),))]
        page = store.changes_since(second.revision)
        assert page is not None
        assert list(page.commits) == heard

    def test_a_removed_key_is_gone_in_its_earlier_commits_too(self, store: Store) -> None:
        """A follower that is behind is told of no key that is not there any more, and of the others as they are."""
        app = keep_app(store)
        store.edit_keys(APP, lambda keys: (*keys, pending()), an_audit())
        (second,) = store.edit_keys(APP, lambda keys: keys[1:], an_audit())
        page = store.changes_since(Revision(0))
        assert page is not None
        assert [commit.changes for commit in page.commits] == [
            (app, Gone(Subject.KEY, APP, "key-1", app.revision)),
            (second,),
            (Gone(Subject.KEY, APP, "key-1", second.revision + 1),),  # type: ignore[arg-type]
        ]

    @pytest.mark.parametrize("step", [1, -1])
    def test_the_same_keys_are_no_change(self, store: Store, step: int) -> None:
        """An edit that returns what it was given, in whatever order, spends no revision and leaves no row."""
        keep_app(store)
        kept = store.edit_keys(APP, lambda keys: (*keys, pending()), an_audit())
        before = store.trust_state(), store.counts()
        assert store.edit_keys(APP, lambda keys: keys[::step], an_audit()) == kept
        assert (store.trust_state(), store.counts()) == before

    def test_revisions_are_the_stores(self, store: Store) -> None:
        """What an edit writes into ``revision`` is ignored: alone it is no change."""
        keep_app(store)
        before = store.trust_state()
        store.edit_keys(APP, lambda keys: tuple(replace(key, revision=Revision(99)) for key in keys), an_audit())
        assert store.trust_state() == before

    @pytest.mark.parametrize("wrong", WRONG)
    def test_keys_that_cannot_be_are_refused(self, store: Store, wrong: str) -> None:
        """Two active keys, another app's key and one id twice raise, and nothing changes."""
        keep_app(store)
        keep_app(store, "other")
        before = store.trust_state(), store.counts()
        with pytest.raises(ValueError, match=r"must not|at most"):
            store.edit_keys(APP, WRONG[wrong], an_audit())
        assert (store.trust_state(), store.counts()) == before
        assert len(store.edit_keys(APP, lambda keys: (*keys, pending()), an_audit())) == 2

    def test_an_unknown_app_is_not_found(self, store: Store) -> None:
        """Editing the keys of an app that is not there raises APP_NOT_FOUND without asking for the edit."""
        keep_app(store)
        with pytest.raises(NotFound) as refusal:
            store.edit_keys(ApiKey("ACME"), lambda keys: pytest.fail("asked"), an_audit())
        assert refusal.value.reason is Reason.APP_NOT_FOUND

    def test_what_an_edit_raises_passes_through(self, store: Store) -> None:
        """An exception of the callback reaches the caller, and nothing changes."""
        keep_app(store)
        before = store.trust_state(), store.counts()
        with pytest.raises(ZeroDivisionError):
            store.edit_keys(APP, lambda keys: keys[: 1 // 0], an_audit())
        assert (store.trust_state(), store.counts()) == before

    def test_no_edit_is_lost(self, store: Store) -> None:
        """Of many that each add a key at the same time every one is there afterwards, each under its own revision."""
        start = keep_app(store).revision
        all_at_once([partial(_add, store, f"new-{i}") for i in range(16)])
        keys = [key for key in store.trust_state().keys if key.key_id != "key-1"]
        assert {key.key_id for key in keys} == {f"new-{i}" for i in range(16)}
        assert sorted(key.revision for key in keys) == list(range(start + 1, start + 17))

    def test_all_keys_can_go(self, store: Store) -> None:
        """An app may be left without a key, and be given one again."""
        keep_app(store)
        assert store.edit_keys(APP, lambda keys: (), an_audit()) == ()
        assert store.trust_state().keys == ()
        assert len(store.edit_keys(APP, lambda keys: (pending(),), an_audit())) == 1


def _add(store: Store, key_id: str) -> None:
    store.edit_keys(APP, lambda keys: (*keys, pending(key_id)), an_audit())
