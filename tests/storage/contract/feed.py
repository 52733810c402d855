"""Revisions and what listeners hear: in commit order, once, before the caller is told."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from authsvc.errors import AlreadyExists, NotFound
from authsvc.model import Commit, SessionId, SessionRevoked, UserId, Watermark
from authsvc.storage.base import Store
from tests.storage.crowd import Background, all_at_once
from tests.storage.places import Place, SettableClock
from tests.storage.records import APP, SARA, a_key, an_account, an_app, an_audit, keep_app, keep_session, turn


class Feed:
    """``listen``, revisions and ``trust_state``."""

    def test_each_kind_of_change_is_told(self, store: Store) -> None:
        """A listener hears, per commit, the revision and the very records the store now has."""
        heard: list[Commit] = []
        store.listen(heard.append)
        app = keep_app(store)
        account = store.create_account(an_account(), an_audit())
        edited_app = store.edit_app(APP, lambda kept: kept, an_audit())
        edited_account = store.edit_account(account.id, lambda kept: kept, an_audit())
        session = keep_session(store)
        store.revoke_session(session.id, "logout", an_audit())
        store.raise_watermark(APP, SARA, an_audit())
        state = store.trust_state()
        assert heard == [
            Commit(app.revision, (app, *state.keys)),
            Commit(account.revision, (account,)),
            Commit(edited_app.revision, (edited_app,)),
            Commit(edited_account.revision, (edited_account,)),
            Commit(state.sessions[0].revision, tuple(state.sessions)),
            Commit(state.watermarks[0].revision, tuple(state.watermarks)),
        ]
        assert [commit.revision for commit in heard] == list(range(app.revision, app.revision + 6))
        assert isinstance(heard[4].changes[0], SessionRevoked)
        assert isinstance(heard[5].changes[0], Watermark)

    def test_each_commit_has_its_rows(self, store: Store) -> None:
        """Every change writes one feed row a record and one audit row."""
        before = store.counts()
        keep_app(store)
        store.create_account(an_account(), an_audit())
        store.edit_app(APP, lambda kept: kept, an_audit())
        after = store.counts()
        assert after["feed"] - before["feed"] == 4  # the app came with its key
        assert after["audit"] - before["audit"] == 3

    def test_what_has_no_revision_is_not_told(self, store: Store) -> None:
        """Sessions that begin or turn, refusals and revokes without effect are not heard; a change is."""
        session = keep_session(store)
        heard: list[Commit] = []
        store.listen(heard.append)
        turn(store, session)
        store.revoke_session(SessionId(bytes(16)), "logout", an_audit())
        with pytest.raises(AlreadyExists):
            keep_app(store)
        with pytest.raises(ZeroDivisionError):
            store.edit_app(APP, lambda app: replace(app, version=1 // 0), an_audit())
        assert heard == []
        store.raise_watermark(APP, SARA, an_audit())
        assert len(heard) == 1

    def test_the_listener_hears_before_the_caller(self, store: Store) -> None:
        """When a change returns, the listener has heard of it already."""
        keep_app(store)
        heard: list[Commit] = []
        store.listen(heard.append)

        def raise_and_look() -> list[bool]:
            looks = []
            for _ in range(20):
                revision = store.raise_watermark(APP, SARA, an_audit())
                looks.append(revision in [commit.revision for commit in heard])
            return looks

        assert all_at_once([raise_and_look] * 8) == [[True] * 20] * 8

    def test_commits_are_heard_in_order_and_once(self, store: Store) -> None:
        """However many change at once, the revisions heard have no gap, no repetition and no step back."""
        start = keep_app(store).revision
        heard: list[Commit] = []
        store.listen(heard.append)
        calls = [partial(_raise_often, store, UserId(f"user-{i}")) for i in range(16)]
        revisions = [revision for outcome in all_at_once(calls) for revision in outcome]  # type: ignore[union-attr]
        assert [commit.revision for commit in heard] == list(range(start + 1, start + 161))
        assert sorted(revisions) == list(range(start + 1, start + 161))

    def test_the_latest_listener_is_the_one(self, store: Store) -> None:
        """A new listener takes the place of the old one, from the next commit on."""
        keep_app(store)
        old: list[Commit] = []
        new: list[Commit] = []
        store.listen(old.append)
        store.raise_watermark(APP, SARA, an_audit())
        store.listen(new.append)
        revision = store.raise_watermark(APP, SARA, an_audit())
        assert len(old) == 1
        assert [commit.revision for commit in new] == [revision]

    def test_a_refused_change_takes_no_revision(self, store: Store) -> None:
        """The revision after a refusal is the next one."""
        first = keep_app(store).revision
        with pytest.raises(AlreadyExists):
            keep_app(store)
        with pytest.raises(NotFound):
            store.edit_account(an_account().id, lambda kept: kept, an_audit())
        assert store.raise_watermark(APP, SARA, an_audit()) == first + 1

    def test_trust_state_is_one_instant(self, store: Store) -> None:
        """While apps change, every state read shows exactly the changes up to its revision."""
        start = keep_app(store).revision
        writing = Background(lambda: [store.edit_app(APP, lambda kept: kept, an_audit()) for _ in range(200)])
        seen = 0
        while seen < start + 200:
            state = store.trust_state()
            assert state.apps[0].revision == state.revision
            seen = state.revision
        assert isinstance(writing.outcome(), list)

    def test_two_stores_share_one_order(self, store: Store, place: Place, clock: SettableClock) -> None:
        """Revisions of two stores on the same data never collide, and each listener hears its own store's."""
        start, other = keep_app(store).revision, place.open(clock=clock)
        heard: list[Commit] = []
        store.listen(heard.append)
        mine, others = all_at_once([partial(_raise_often, store, SARA), partial(_raise_often, other, SARA)])
        assert isinstance(mine, list)
        assert isinstance(others, list)
        assert sorted(mine + others) == list(range(start + 1, start + 21))
        assert [commit.revision for commit in heard] == mine

    def test_a_new_app_alone_is_a_mistake(self, store: Store) -> None:
        """An app whose first key is another app's is refused as a mistake of the program."""
        with pytest.raises(ValueError, match="its own"):
            store.create_app(an_app(), a_key("other"), an_audit())
        assert store.trust_state().apps == ()


def _raise_often(store: Store, user: UserId) -> list[int]:
    return [store.raise_watermark(APP, user, an_audit()) for _ in range(10)]
