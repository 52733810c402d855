"""Following a store: every commit of every process, once, in commit order, with what the tables have of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from authsvc.errors import Unavailable
from authsvc.model import ApiKey, Change, Commit, LogLevel, Revision, SealedSecret, UserId
from authsvc.storage.base import FeedPage, Store
from tests.storage.crowd import Background, all_at_once
from tests.storage.places import START, Place, SettableClock
from tests.storage.records import (
    APP,
    SARA,
    a_credential,
    an_account,
    an_audit,
    keep_app,
    keep_session,
    turn,
)

NOTHING = Revision(0)
LONG = 30.0


def page_after(store: Store, after: int, *, limit: int = 1000) -> FeedPage:
    """The page after a revision that the feed still reaches."""
    page = store.changes_since(Revision(after), limit=limit)
    assert page is not None
    return page


def follow(store: Store, after: int, *, limit: int) -> Iterator[Commit]:
    """All commits after a revision, page by page."""
    while commits := page_after(store, after, limit=limit).commits:
        yield from commits
        after = commits[-1].revision


def all_kinds(store: Store) -> None:
    """A change of each kind of thing, each in a commit of its own, but for the app that comes with its key."""
    keep_app(store)
    store.create_account(an_account(credentials=(a_credential("b"), a_credential("a"))), an_audit())
    store.create_account(an_account("svc-2", "bare", credentials=()), an_audit())
    session = keep_session(store)
    store.revoke_session(session.id, "logout", an_audit())
    store.raise_watermark(APP, SARA, an_audit())
    store.raise_watermark(APP, None, an_audit())
    store.add_secret(SealedSecret("mac", 7, b"s", START))
    store.set_levels([LogLevel("storage", "debug", START)], reset=False, audit=an_audit())


class Following:
    """``changes_since`` and ``await_hint``."""

    def test_a_follower_reads_what_the_listener_heard(self, store: Store, place: Place, clock: SettableClock) -> None:
        """Another store on the same data reads the same commits with the same content as this one's listener."""
        other = place.open(clock=clock)
        heard: list[Commit] = []
        store.listen(heard.append)
        all_kinds(store)
        assert page_after(other, NOTHING) == FeedPage(heard[-1].revision, tuple(heard))
        assert len(heard) == 8

    def test_only_what_came_after(self, store: Store) -> None:
        """A page begins after the revision that is named, and the head's page is empty."""
        all_kinds(store)
        commits = page_after(store, NOTHING).commits
        for place, commit in enumerate(commits):
            assert page_after(store, commit.revision).commits == commits[place + 1 :]
        assert page_after(store, commits[-1].revision) == FeedPage(commits[-1].revision, ())

    def test_a_new_store_has_an_empty_page(self, store: Store) -> None:
        """Before anything was changed there is nothing to follow, and no reason to load again."""
        assert page_after(store, NOTHING) == FeedPage(NOTHING, ())

    def test_one_who_is_ahead_reads_nothing(self, store: Store) -> None:
        """A revision beyond the head has nothing after it, and the page says where the store is."""
        head = keep_app(store).revision
        assert page_after(store, head + 5) == FeedPage(head, ())

    def test_pages_are_cut_between_commits(self, store: Store) -> None:
        """However small the pages, each holds whole commits, at most that many, and together they are all."""
        all_kinds(store)
        whole = page_after(store, NOTHING)
        for limit in (1, 2, 3, 7, 8, 1000):
            first = page_after(store, NOTHING, limit=limit)
            assert (first.head, first.commits) == (whole.head, whole.commits[:limit])
            assert tuple(follow(store, NOTHING, limit=limit)) == whole.commits
        assert len(whole.commits[0].changes) == 2  # the app with its key

    def test_the_content_is_the_newest(self, store: Store) -> None:
        """A thing that changed again later is shown as it is now, in each of its commits."""
        first = keep_app(store)
        edits = [store.edit_app(APP, lambda app: app, an_audit()) for _ in range(3)]
        commits = page_after(store, NOTHING).commits
        assert [commit.revision for commit in commits] == [first.revision, *(edit.revision for edit in edits)]
        assert [commit.changes[0] for commit in commits] == [edits[-1]] * 4

    def test_names_that_differ_in_case_are_apart(self, store: Store) -> None:
        """What a change is about is found by its exact name and app, not by one that resembles it."""
        for api_key in (APP, "ACME"):
            keep_app(store, api_key)
            for user in ("sara", "Sara", "SARA"):
                store.raise_watermark(ApiKey(api_key), UserId(user), an_audit())
        state = store.trust_state()
        told = [change for commit in page_after(store, NOTHING).commits for change in commit.changes]
        assert _by_revision(told) == _by_revision([*state.apps, *state.keys, *state.watermarks])

    def test_what_spends_no_revision_is_not_followed(self, store: Store) -> None:
        """Sessions that begin or turn leave the head and the feed where they are; one that is ended moves both."""
        head = keep_app(store).revision
        session = keep_session(store)
        turn(store, session)
        assert page_after(store, head) == FeedPage(head, ())
        store.revoke_session(session.id, "logout", an_audit())
        assert [commit.revision for commit in page_after(store, head).commits] == [head + 1]

    def test_a_follower_misses_nothing_under_writers(self, store: Store, place: Place, clock: SettableClock) -> None:
        """While two stores write, a third reads every revision once and in order, in pages of any size."""
        start, other, reader = keep_app(store).revision, place.open(clock=clock), place.open(clock=clock)
        writing = Background(partial(all_at_once, [partial(_raise_often, one) for one in (store, other) * 4]))
        seen: list[int] = []
        size = 1
        while len(seen) < 160:
            page = page_after(reader, seen[-1] if seen else start, limit=size)
            assert all(commit.revision <= page.head for commit in page.commits)
            seen.extend(commit.revision for commit in page.commits)
            size = size % 7 + 1
        writing.outcome()
        assert seen == list(range(start + 1, start + 161))

    def test_a_page_is_one_instant(self, store: Store) -> None:
        """While an app is edited, a page shows it exactly as of the page's head."""
        start = keep_app(store).revision
        writing = Background(lambda: [store.edit_app(APP, lambda app: app, an_audit()) for _ in range(200)])
        head = start
        while head < start + 200:
            page = page_after(store, start)
            head = page.head
            for commit in page.commits:
                assert [change.revision for change in commit.changes] == [head]
        assert isinstance(writing.outcome(), list)

    def test_a_hint_comes_with_the_commit_of_another(self, store: Store, place: Place, clock: SettableClock) -> None:
        """Whoever waits is woken by another store's commit long before its patience ends, time after time."""
        other = place.open(clock=clock)
        keep_app(store)
        hinted(other, lambda: store.raise_watermark(APP, SARA, an_audit()))
        hinted(other, lambda: store.edit_app(APP, lambda app: app, an_audit()))

    def test_without_a_change_it_waits(self, store: Store) -> None:
        """When nobody changes anything the wait ends with the time, once the hints there were have been taken."""
        for _ in range(1000):
            began = time.monotonic()
            store.await_hint(0.05)
            if time.monotonic() - began >= 0.05:
                return
        raise AssertionError("a hint came a thousand times, and nothing had changed")

    @pytest.mark.parametrize("waits", [True, False])
    def test_a_closed_store_lets_go(self, store: Store, waits: bool) -> None:
        """Whoever waits returns when the store is closed, and so does one who comes later; neither is told an error."""
        waiting = Background(partial(wait_often, store)) if waits else None
        store.close()
        if waiting is not None:
            assert waiting.outcome() is None
        store.await_hint(LONG)
        with pytest.raises(Unavailable):
            store.changes_since(NOTHING)


def wait_often(store: Store) -> None:
    """Wait three times, for longer than the test may take."""
    for _ in range(3):
        store.await_hint(LONG)


def hinted(store: Store, change: Callable[[], object]) -> None:
    """Fail unless a waiting follower is woken by the change: it reads it within one wait that could be long."""
    head = store.trust_state().revision

    def look() -> bool:
        began = time.monotonic()
        while time.monotonic() - began < LONG:
            if page_after(store, head).commits:
                return True
            store.await_hint(LONG)
        return False

    waiting = Background(look)
    change()
    assert waiting.outcome() is True


def _raise_often(store: Store) -> None:
    for _ in range(20):
        store.raise_watermark(APP, SARA, an_audit())


def _by_revision(changes: list[Change]) -> list[Change]:
    return sorted(changes, key=lambda change: (change.revision, type(change).__name__))
