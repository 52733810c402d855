"""Log levels: one a scope, until a moment, told through the feed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from authsvc.model import ApiKey, Commit, Gone, LogLevel, Revision, Subject
from authsvc.storage.base import Store
from tests.storage.crowd import all_at_once
from tests.storage.places import START, SettableClock
from tests.storage.records import an_audit

HOUR = timedelta(hours=1)
STORAGE = LogLevel("storage", "debug", START + HOUR + timedelta(microseconds=1))
RPC = LogLevel("rpc", "", START + 2 * HOUR)


def put(store: Store, *levels: LogLevel, reset: bool = False) -> Revision:
    return store.set_levels(levels, reset=reset, audit=an_audit("logging.set"))


def under(revision: int, *levels: LogLevel) -> tuple[LogLevel, ...]:
    """The levels as they are kept under a revision."""
    return tuple(replace(level, revision=Revision(revision)) for level in levels)


class Levels:
    """``set_levels``."""

    def test_levels_are_kept_and_told(self, store: Store) -> None:
        """Levels set together have one revision, one feed row each and one audit row; listeners hear them."""
        before, heard = store.counts(), list[Commit]()
        store.listen(heard.append)
        revision = put(store, STORAGE, RPC)
        state = store.trust_state()
        assert state.revision == revision == 1
        assert state.levels == under(revision, RPC, STORAGE)  # by scope
        assert heard == [Commit(revision, under(revision, STORAGE, RPC))]
        after = store.counts()
        assert (after["feed"] - before["feed"], after["audit"] - before["audit"]) == (2, 1)

    def test_a_scope_has_one_level(self, store: Store) -> None:
        """A new level of a scope takes the place of the earlier one, other scopes keep theirs; names are exact."""
        first = put(store, STORAGE, RPC)
        second = put(store, replace(STORAGE, level="trace", until=START + 3 * HOUR), replace(RPC, scope="RPC"))
        assert store.trust_state().levels == (
            *under(second, replace(RPC, scope="RPC")),
            *under(first, RPC),
            *under(second, replace(STORAGE, level="trace", until=START + 3 * HOUR)),
        )

    def test_a_reset_forgets_the_others(self, store: Store) -> None:
        """With ``reset`` only the new levels remain, and of the others the feed says that they are gone."""
        first, heard = put(store, STORAGE, RPC, LogLevel("audit", "warn", START + HOUR)), list[Commit]()
        store.listen(heard.append)
        second = put(store, replace(RPC, level="error"), reset=True)
        (level,) = under(second, replace(RPC, level="error"))
        gone = [Gone(Subject.LEVEL, ApiKey(""), scope, second) for scope in ("audit", "storage")]
        assert store.trust_state().levels == (level,)
        assert heard == [Commit(second, (level, *gone))]
        page = store.changes_since(first)
        assert page is not None
        assert list(page.commits) == heard

    def test_everything_can_be_reset(self, store: Store) -> None:
        """A reset without new levels leaves none."""
        put(store, STORAGE, RPC)
        revision = put(store, reset=True)
        assert (store.trust_state().levels, store.trust_state().revision) == ((), revision)

    @pytest.mark.parametrize("reset", [True, False])
    def test_nothing_to_set_changes_nothing(self, store: Store, reset: bool) -> None:
        """Without levels, and where there are none to forget, no revision is spent and nothing is audited."""
        revision = put(store, STORAGE) if not reset else Revision(0)
        before = store.trust_state(), store.counts()
        assert put(store, reset=reset) == revision
        assert (store.trust_state(), store.counts()) == before

    def test_a_level_ends_by_itself(self, store: Store, clock: SettableClock) -> None:
        """``trust_state`` shows a level up to its moment and not longer."""
        put(store, STORAGE)
        clock.now = STORAGE.until - timedelta(microseconds=1)
        assert len(store.trust_state().levels) == 1
        clock.now = STORAGE.until
        assert store.trust_state().levels == ()

    def test_two_levels_of_one_scope_are_a_mistake(self, store: Store) -> None:
        """One call that gives a scope two levels raises, and changes nothing."""
        before = store.trust_state(), store.counts()
        with pytest.raises(ValueError, match="one level"):
            put(store, STORAGE, replace(STORAGE, level="trace"))
        assert (store.trust_state(), store.counts()) == before

    def test_many_at_once(self, store: Store) -> None:
        """Of levels that are set at the same time none is lost, and each has a revision of its own."""
        calls = [partial(put, store, LogLevel(f"scope-{i}", "debug", START + HOUR)) for i in range(16)]
        assert sorted(all_at_once(calls)) == list(range(1, 17))  # type: ignore[type-var]
        assert len(store.trust_state().levels) == 16
