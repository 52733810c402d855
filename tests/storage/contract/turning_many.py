"""Turning several sessions at once: each as if it were alone, all in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from authsvc.model import Session, SessionId, User, UserId
from authsvc.storage.base import Store, Turn
from tests.storage.crowd import all_at_once
from tests.storage.places import START, SettableClock
from tests.storage.records import APP, IDLE, WHOLE, an_audit, keep_session, now_kept, turn

HASH = b"r" * 32


def a_user(name: str) -> User:
    return User(UserId(name))


def turn_many(store: Store, sessions: Sequence[Session], idle_ttl: timedelta = IDLE) -> Sequence[datetime | None]:
    return store.turn_sessions([Turn(each.id, each.generation, HASH, idle_ttl) for each in sessions])


class TurningMany:
    """``session_states`` and ``turn_sessions``."""

    def test_a_turn_among_others_is_the_turn_of_one(self, store: Store, clock: SettableClock) -> None:
        """What is kept afterwards, and the end that is told, are those of ``turn_session``."""
        alone, *others = (keep_session(store, user=a_user(f"user-{n}")) for n in range(4))
        clock.advance(timedelta(hours=3, microseconds=1))
        expected = turn(store, alone, request_id_hash=HASH, idle_ttl=IDLE)
        assert expected is not None
        assert turn_many(store, others) == [expected.idle_expires_at] * 3
        for each in others:
            assert now_kept(store, each) == expected._replace(id=each.id, user=each.user)

    def test_each_is_judged_by_itself(self, store: Store, clock: SettableClock) -> None:
        """Those that do not turn stay as they are and keep no other from turning, wherever they stand."""
        first, last = keep_session(store), keep_session(store)
        over = keep_session(store, idle_expires_at=START + timedelta(hours=1))
        covered = keep_session(store, user=a_user("tom"))
        store.raise_watermark(APP, UserId("tom"), an_audit())
        ended = keep_session(store)
        store.revoke_session(ended.id, "logout", an_audit())
        ahead, unknown = keep_session(store), first._replace(id=SessionId(bytes(16)))
        clock.advance(timedelta(hours=1))
        before = [now_kept(store, each) for each in (ended, covered, over, ahead)]
        wanted = [first, ended, covered, over, ahead._replace(generation=1), unknown, last]
        told = turn_many(store, wanted)
        assert [moment is not None for moment in told] == [True, *[False] * 5, True]
        assert [now_kept(store, each) for each in (ended, covered, over, ahead)] == before
        assert (now_kept(store, first).generation, now_kept(store, last).generation) == (1, 1)

    def test_ends_are_bounded_and_time_does_not_go_back(self, store: Store, clock: SettableClock) -> None:
        """The idle end stops at the absolute one, and counts from ``rotated_at`` where the clock is behind it."""
        bounded = keep_session(store)
        assert turn_many(store, [bounded], WHOLE + timedelta(days=1)) == [bounded.absolute_expires_at]
        later = keep_session(store, rotated_at=START, absolute_expires_at=START + 3 * IDLE)
        clock.advance(timedelta(days=-30))
        assert turn_many(store, [later]) == [START + IDLE]

    def test_nothing_to_turn_is_nothing(self, store: Store) -> None:
        """Of no sessions nothing is read and nothing turns."""
        session = keep_session(store)
        assert (list(turn_many(store, [])), list(store.session_states([]))) == ([], [])
        assert now_kept(store, session) == session

    def test_states_are_those_of_each(self, store: Store) -> None:
        """Every session that is there is told as ``session_state`` tells it, and no other."""
        sessions = [keep_session(store, user=a_user(name)) for name in ("sara", "tom", "tim")]
        store.raise_watermark(APP, UserId("tom"), an_audit())
        states = store.session_states([*(each.id for each in sessions), SessionId(bytes(16))])
        told = {state.session.id: (state.session, state.covered) for state in states}
        known = [store.session_state(each.id) for each in sessions]
        assert told == {state.session.id: (state.session, state.covered) for state in known if state is not None}
        assert [told[each.id][1] for each in sessions] == [False, True, False]

    def test_one_of_many_wins_each_of_them(self, store: Store) -> None:
        """Of callers that turn the same sessions in different orders exactly one gets each; nobody fails."""
        sessions = [keep_session(store) for _ in range(6)]
        orders = [[*sessions[n % 6 :], *sessions[: n % 6]] for n in range(24)]
        winners: Counter[SessionId] = Counter()
        outcomes = all_at_once([partial(turn_many, store, order) for order in orders])
        for order, outcome in zip(orders, outcomes, strict=True):
            assert isinstance(outcome, list)
            winners.update(each.id for each, moment in zip(order, outcome, strict=True) if moment is not None)
        assert winners == Counter(each.id for each in sessions)
        assert {now_kept(store, each).generation for each in sessions} == {1}
