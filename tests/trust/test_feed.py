"""The feed: a view in step with a real store, from its start, at each change of its own and of others."""

from __future__ import annotations

import gc
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from authsvc.errors import KeyNotReady, Reason, Unavailable
from authsvc.model import (
    Algorithm,
    ApiKey,
    Change,
    Commit,
    KeyId,
    KeyState,
    LogLevel,
    Revision,
    SealedSecret,
    TokenId,
    UserId,
)
from authsvc.signing import algorithms
from authsvc.signing.keys import verification_key
from authsvc.signing.sealing import Kek, Place, SealBroken
from authsvc.storage.base import FeedPage, Store
from authsvc.trust.feed import Feed, Learnt, signing_key_place
from authsvc.trust.learning import Learning
from authsvc.trust.secrets import REFRESH_KEY_PURPOSE
from authsvc.trust.view import TrustView
from tests.storage.records import an_app
from tests.trust.workers import ACME, SARA, OpenWorker, Worker


def told(view: TrustView) -> object:
    """Everything a view can be asked, keys by what they are."""
    trusts = {app.api_key: view.app(app.api_key) for app in view.apps()}
    keys = {
        name: {key_id: key.record for key_id, key in trust.ring.keys.items()}
        for name, trust in trusts.items()
        if trust is not None
    }
    revoked = {name: sorted(map(str, view.revocations(name))) for name in trusts}
    return view.apps(), view.accounts(), keys, revoked, view.revision


def change_everything(worker: Worker) -> None:
    """Changes of every sort the store has."""
    store = worker.domain.store
    worker.make_app("beta", algorithm=Algorithm.HS256)
    store.edit_app(ACME, lambda app: replace(app, settings=replace(app.settings, suspended=True)), worker.event())
    store.revoke_session(worker.open_session().id, "logout", worker.event())
    store.revoke_token(ACME, TokenId("t"), None, worker.event())
    store.revoke_token(ACME, TokenId("cleared"), None, worker.event())
    store.clear_token(ACME, TokenId("cleared"), worker.event())
    worker.revoke()
    worker.revoke(None)
    store.clear_watermark(ACME, None, worker.event())
    worker.domain.accounts.recover("edge", "test")
    store.edit_keys(ApiKey("beta"), lambda keys: tuple(replace(key, state=KeyState.RETIRED) for key in keys), None)


# -- own changes ------------------------------------------------------------------------------------


def test_own_changes_are_seen_at_once(worker: Worker) -> None:
    """When a call that changed something returns, the view has it."""
    trust = worker.domain.view.app(ACME)
    assert trust is not None
    trust.ring.signing_key()
    before = worker.domain.view.revision
    revision = worker.revoke()
    assert worker.domain.view.revision == revision > before
    mark = worker.domain.view.revoked(ACME).mark_of(SARA)
    assert mark is not None
    assert mark.tokens_revision == revision


def test_a_view_that_follows_is_a_view_that_starts(worker: Worker, other: Worker, open_worker: OpenWorker) -> None:
    """After any changes the view that made them, one that followed and one that starts now say the same."""
    change_everything(worker)
    other.look()
    views = [one.domain.view for one in (worker, other, open_worker())]
    assert [told(view) for view in views] == [told(views[0])] * 3
    assert views[0].revision == worker.domain.store.trust_state().revision > 10
    assert [app.api_key for app in views[1].apps()] == ["acme", "beta"]
    assert not views[1].revoked(ACME).has_token(TokenId("cleared"))


@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.HS256])
def test_a_key_is_opened_as_it_was_sealed(
    worker: Worker, other: Worker, open_worker: OpenWorker, algorithm: Algorithm
) -> None:
    """The key that was made, the one that came by the feed and the one a later start opens are the same key."""
    worker.make_app("beta", algorithm=algorithm)
    other.look()
    signing = []
    for one in (worker, other, open_worker()):
        trust = one.domain.view.app(ApiKey("beta"))
        assert trust is not None
        signing.append(trust.ring.signing_key())
    assert len({key.key_id for key in signing}) == 1
    signature = algorithms.sign(algorithm, signing[0].handle, b"message")
    for key in signing[1:]:
        assert algorithms.verify(algorithm, verification_key(key).handle, b"message", signature)


def test_an_app_without_keys_is_known_and_does_not_sign() -> None:
    """An app may be learnt before its keys."""
    view = TrustView()
    view.put_app(an_app())
    bare = view.app(ACME)
    assert bare is not None
    with pytest.raises(KeyNotReady):
        bare.ring.signing_key()


# -- others' changes between own ones -----------------------------------------------------------------


def test_own_changes_count_as_reached_when_all_before_them_are_in(worker: Worker, other: Worker) -> None:
    """An own change is in at once whatever others' lie before it; the revision, which new tokens carry, waits."""
    start = worker.domain.view.revision
    theirs, mine = other.revoke("eve"), worker.revoke("sara")
    view = worker.domain.view
    assert (theirs, mine) == (start + 1, start + 2)
    assert view.revoked(ACME).mark_of(UserId("sara")) is not None
    assert view.revoked(ACME).mark_of(UserId("eve")) is None
    assert view.revision == start
    worker.look()
    assert view.revoked(ACME).mark_of(UserId("eve")) is not None
    assert view.revision == mine


def test_a_gap_that_is_closed_lets_later_own_changes_count(worker: Worker, other: Worker) -> None:
    """When what was missing has come, everything own that follows without a gap is reached, and no more than that."""
    start = worker.domain.view.revision
    pages = _Pages(worker.domain.store)
    feed, view = a_feed(worker, pages)
    for one in (other, worker, worker, other, worker):
        one.revoke()
    for commit in pages.commits(start):
        if commit.revision - start in (2, 3, 5):
            feed.apply(commit)
    assert (view.revision, feed.behind) == (start, True)
    pages.limit_to(start + 1)
    feed.catch_up()
    assert (view.revision, feed.behind) == (start + 3, True)
    pages.limit_to(start + 5)
    feed.catch_up()
    assert (view.revision, feed.behind) == (start + 5, False)


def test_an_own_change_that_is_told_late_changes_nothing(worker: Worker, other: Worker) -> None:
    """A change that the feed gave already, and another one after it, is not undone when its own thread tells it."""
    start = worker.domain.view.revision
    feed, view = a_feed(worker, worker.domain.store)
    worker.domain.store.revoke_token(ACME, TokenId("t"), None, worker.event())
    (late,) = _Pages(worker.domain.store).commits(start)
    other.domain.store.clear_token(ACME, TokenId("t"), other.event())
    feed.catch_up()
    feed.apply(late)
    assert not view.revoked(ACME).has_token(TokenId("t"))


def test_an_old_page_takes_nothing_back(worker: Worker, other: Worker) -> None:
    """A page that was read before an own change, and is applied after it, does not bring an older state back."""
    start = worker.domain.view.revision
    pages = _Pages(worker.domain.store)
    feed, view = a_feed(worker, pages)
    worker.domain.store.revoke_token(ACME, TokenId("t"), None, worker.event())
    other.domain.store.clear_token(ACME, TokenId("t"), other.event())
    pages.before_answering = lambda: _revoke_again(worker, feed, pages)
    feed.catch_up()
    assert view.revoked(ACME).has_token(TokenId("t"))
    assert view.revision == start + 3


def test_many_changes_are_read_page_by_page(worker: Worker, other: Worker) -> None:
    """However far behind a worker is, it reads on until it is at the head."""
    revisions = [other.revoke(f"user-{number}") for number in range(2_300)]
    worker.look()
    assert worker.domain.view.revision == revisions[-1]
    assert worker.domain.view.count_revoked() == 2_300


# -- starting over ------------------------------------------------------------------------------------


def test_a_reader_that_is_too_far_behind_reads_everything(worker: Worker, other: Worker) -> None:
    """Where the feed does not reach back, the whole state takes the view's place, with nothing left of the old one."""
    store = _Forgetful(worker.domain.store)
    feed, view = a_feed(worker, store)
    steps: list[Learnt] = []
    feed.subscribe(steps.append)
    change_everything(other)
    feed.catch_up()
    other.look()
    assert told(view) == told(other.domain.view)
    assert [(step.changes, step.reloaded, step.reached) for step in steps] == [((), True, view.revision)]


def test_own_changes_during_a_reload_are_not_lost(worker: Worker, other: Worker) -> None:
    """What this process commits while it reads everything is in the view before, during and after."""
    store = _Forgetful(worker.domain.store)
    feed, view = a_feed(worker, store)
    other.revoke("eve")
    store.after_reading = lambda: seen.append(_revoke_and_tell(worker, feed, view))
    seen: list[bool] = []
    feed.catch_up()
    assert seen == [True]
    assert view.revoked(ACME).mark_of(UserId("mallory")) is not None
    assert view.revision == worker.domain.store.trust_state().revision


def test_readers_never_see_half_a_state(worker: Worker, other: Worker) -> None:
    """While everything is read anew, the old state is there whole; then the new one is."""
    store = _Forgetful(worker.domain.store)
    feed, view = a_feed(worker, store)
    change_everything(other)
    before, during = told(view), list[object]()
    store.after_reading = lambda: during.append(told(view))
    feed.catch_up()
    other.look()
    assert during == [before]
    assert told(view) == told(other.domain.view) != before


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_rests_while_everything_is_read(worker: Worker, enabled: bool) -> None:
    """Afterwards it is as it was, whatever it was."""
    store, during = _Forgetful(worker.domain.store), list[bool]()
    store.after_reading = lambda: during.append(gc.isenabled())
    (gc.enable if enabled else gc.disable)()
    try:
        a_feed(worker, store)
        assert (during, gc.isenabled()) == ([False], enabled)
    finally:
        gc.enable()


@pytest.mark.parametrize("forgetful", [False, True])
def test_a_store_that_lost_changes_is_not_believed(worker: Worker, forgetful: bool) -> None:
    """A store whose head is behind what was read from it moves nothing, and counts as one that cannot be read."""
    feed, view = a_feed(worker, _Forgetful(worker.domain.store) if forgetful else worker.domain.store)
    view.reached(Revision(view.revision + 1))
    with pytest.raises(Unavailable) as raised:
        feed.catch_up()
    assert raised.value.reason is Reason.STORE_UNAVAILABLE
    assert "lost" in raised.value.detail


# -- those who follow the view ------------------------------------------------------------------------


def test_subscribers_are_told_of_every_change_in_order(worker: Worker, other: Worker) -> None:
    """Own changes and others' are told as they are put into the view, each step with how far it is whole."""
    start, steps = worker.domain.view.revision, list[Learnt]()
    end = worker.domain.feed.subscribe(steps.append)
    other.revoke("eve")
    worker.revoke("sara")
    worker.look()
    end()
    worker.revoke("nobody hears")
    assert [(names(step.changes), step.reached - start) for step in steps] == [(["sara"], 0), (["eve", "sara"], 2)]
    assert worker.domain.view.revision == start + 3


def test_a_look_that_finds_nothing_tells_nothing(worker: Worker) -> None:
    """Whoever follows is told of steps, not of looks."""
    steps = list[Learnt]()
    worker.domain.feed.subscribe(steps.append)
    worker.look()
    assert steps == []


def test_log_levels_come_by_the_feed(worker: Worker, other: Worker, open_worker: OpenWorker) -> None:
    """A level that one worker keeps is known to all, those that start later too, until it is gone."""
    level = LogLevel("storage", "debug", other.clock() + timedelta(hours=1))
    revision = other.domain.store.set_levels([level], reset=False, audit=other.event())
    worker.look()
    expected = replace(level, revision=revision)
    assert [one.domain.levels.now() for one in (worker, other, open_worker())] == [(expected,)] * 3
    other.domain.store.set_levels([], reset=True, audit=other.event())
    worker.look()
    assert worker.domain.levels.now() == other.domain.levels.now() == ()


# -- what does not open -------------------------------------------------------------------------------


def test_under_another_kek_nothing_starts(worker: Worker, open_worker: OpenWorker) -> None:
    """With another KEK the view is not loaded, and what would help is said."""
    del worker
    with pytest.raises(SealBroken, match="another KEK"):
        open_worker(kek=Kek(bytes(32)))


def test_a_running_worker_does_without_what_it_cannot_open(worker: Worker) -> None:
    """A key or secret sealed under a KEK that it does not have is said in the log, and everything else is followed."""
    record = next(iter(worker.domain.store.trust_state().keys))
    foreign = replace(record, key_id=KeyId("foreign"), sealed=b"\1" + bytes(200), revision=Revision(90))
    secret = SealedSecret(REFRESH_KEY_PURPOSE, 9, b"\1" + bytes(200), worker.clock(), Revision(90))
    worker.domain.feed.apply(Commit(Revision(90), cast("tuple[Change, ...]", (foreign, secret, an_app("gamma")))))
    trust = worker.domain.view.app(ACME)
    assert trust is not None
    assert list(trust.ring.keys) == [record.key_id]
    assert worker.domain.secrets.ring(REFRESH_KEY_PURPOSE).find(9) is None
    assert worker.domain.view.app(ApiKey("gamma")) is not None
    assert worker.said() == [("ERROR", "key cannot be opened"), ("ERROR", "secret cannot be opened")]


def test_a_known_key_is_followed_whatever_it_is_sealed_under(worker: Worker) -> None:
    """The state of a key that was opened once changes with its record: a revocation needs no secret."""
    record = next(iter(worker.domain.store.trust_state().keys))
    revoked = replace(record, state=KeyState.REVOKED, sealed=b"not ours", revision=Revision(90))
    worker.domain.feed.apply(Commit(Revision(90), (revoked,)))
    trust = worker.domain.view.app(ACME)
    assert trust is not None
    assert [key.state for key in trust.ring.keys.values()] == [KeyState.REVOKED]


def test_the_place_of_a_key_is_its_app_and_its_id() -> None:
    """A signing key is sealed for its purpose, its app and its id."""
    assert signing_key_place(ACME, "k") == Place("signing-key", "acme", "k")
    assert signing_key_place(ACME, "k") != signing_key_place(ApiKey("beta"), "k")


# -- helpers: a feed of its own over the worker's store, which nobody tells of commits -------------------


class _Pages:
    """A store that says what it reads from the feed, as far as it is let."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last: int | None = None
        self.before_answering: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def listen(self, _: object) -> None:
        """Nobody is told of commits: the test does."""

    def limit_to(self, revision: int) -> None:
        """Be a store that ends there."""
        self._last = revision

    def commits(self, after: int) -> tuple[Commit, ...]:
        """What the feed has after a revision."""
        page = self._store.changes_since(Revision(after))
        assert page is not None
        return page.commits

    def changes_since(self, after: Revision, **options: Any) -> FeedPage | None:
        page = self._store.changes_since(after, **options)
        assert page is not None
        if self.before_answering is not None:
            act, self.before_answering = self.before_answering, None
            act()
        if self._last is None:
            return page
        kept = tuple(commit for commit in page.commits if commit.revision <= self._last)
        return FeedPage(Revision(self._last), kept)


class _Forgetful:
    """A store whose feed reaches back to nothing but its head."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.after_reading: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def listen(self, _: object) -> None:
        """Nobody is told of commits: the test does."""

    def changes_since(self, after: Revision, **options: Any) -> FeedPage | None:
        page = self._store.changes_since(after, **options)
        return None if page is None or page.head != after else page

    def trust_state(self) -> Any:
        state = self._store.trust_state()
        if self.after_reading is not None:
            act, self.after_reading = self.after_reading, None
            act()
        return state


def a_feed(worker: Worker, store: object) -> tuple[Feed, TrustView]:
    """A feed with a view of its own over a store that tells it nothing."""
    view, domain = TrustView(), worker.domain
    if not isinstance(store, _Pages | _Forgetful):
        store = _Pages(cast(Store, store))
    learning = Learning(domain.sealer, domain.secrets, domain.logs.get_logger("trust"))
    return Feed(cast(Store, store), view, learning), view


def names(changes: tuple[Change, ...]) -> list[object]:
    return [getattr(change, "user_id", None) for change in changes]


def _revoke_again(worker: Worker, feed: Feed, pages: _Pages) -> None:
    before = worker.domain.store.trust_state().revision
    worker.domain.store.revoke_token(ACME, TokenId("t"), None, worker.event())
    for commit in pages.commits(before):
        feed.apply(commit)


def _revoke_and_tell(worker: Worker, feed: Feed, view: TrustView) -> bool:
    """Revoke, have the feed told as the store would, and say whether the view has it at once."""
    before = worker.domain.store.trust_state().revision
    worker.revoke("mallory")
    for commit in _Pages(worker.domain.store).commits(before):
        feed.apply(commit)
    return view.revoked(ACME).mark_of(UserId("mallory")) is not None
