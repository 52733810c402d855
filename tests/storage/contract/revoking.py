"""Ending single sessions."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from authsvc.model import SessionId, SessionRevoked
from authsvc.storage.base import Store
from tests.storage.crowd import Background, all_at_once
from tests.storage.places import START, SettableClock
from tests.storage.records import APP, WHOLE, a_key, an_app, an_audit, keep_session, now_kept, turn

MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


class Revoking:
    """``revoke_session``."""

    def test_a_session_is_ended_with_its_rows(self, store: Store, clock: SettableClock) -> None:
        """One call ends it under one revision, with one audit and one feed row; generation and rotation stay."""
        session = keep_session(store, generation=5, rotated_at=START - HOUR)
        counts, revision = store.counts(), store.trust_state().revision
        now = clock.advance(MICROSECOND)
        assert store.revoke_session(session.id, "logout", an_audit()) is True
        assert now_kept(store, session) == session._replace(revoked_at=now, revoke_reason="logout")
        assert store.trust_state().revision == revision + 1
        assert store.counts() == {**counts, "feed": counts["feed"] + 1, "audit": counts["audit"] + 1}

    def test_a_second_time_changes_nothing(self, store: Store, clock: SettableClock) -> None:
        """Ending it again says False and leaves the first reason, time, audit and revision."""
        session = keep_session(store)
        store.revoke_session(session.id, "logout", an_audit())
        before = now_kept(store, session), store.trust_state(), store.counts()
        clock.advance(HOUR)
        assert store.revoke_session(session.id, "reuse", an_audit()) is False
        assert (now_kept(store, session), store.trust_state(), store.counts()) == before

    def test_one_of_many_ends_it(self, store: Store) -> None:
        """Of many that end one session at the same time exactly one is told that it did."""
        session = keep_session(store)
        outcomes = all_at_once([partial(store.revoke_session, session.id, f"r{i}", an_audit()) for i in range(16)])
        assert sorted(map(str, outcomes)) == ["False"] * 15 + ["True"]
        assert len(store.trust_state().sessions) == 1

    def test_an_unknown_session_changes_nothing(self, store: Store) -> None:
        """Ending a session that is not there says False and audits nothing."""
        session = keep_session(store)
        before = store.trust_state(), store.counts()
        assert store.revoke_session(SessionId(session.id[::-1]), "logout", an_audit()) is False
        assert (store.trust_state(), store.counts()) == before

    def test_it_is_remembered_until_its_last_token_is_dead(self, store: Store, clock: SettableClock) -> None:
        """``trust_state`` shows an ended session while a token could live that was minted at its absolute expiry."""
        longest = timedelta(hours=5)
        store.create_app(an_app(longest_ttl_ever=longest), a_key(), an_audit())
        session = keep_session(store)
        store.revoke_session(session.id, "logout", an_audit())
        state = store.trust_state()
        until = START + WHOLE + longest + timedelta(seconds=120)  # the largest skew an app can allow
        assert tuple(state.sessions) == (SessionRevoked(APP, session.id, until, state.revision),)
        clock.now = until - MICROSECOND
        assert tuple(store.trust_state().sessions) == tuple(state.sessions)
        clock.now = until
        assert tuple(store.trust_state().sessions) == ()

    def test_a_clock_that_goes_backwards_ends_it_no_earlier_than_it_turned(
        self, store: Store, clock: SettableClock
    ) -> None:
        """``revoked_at`` is never before ``rotated_at``."""
        session = keep_session(store)
        clock.advance(-HOUR)
        store.revoke_session(session.id, "logout", an_audit())
        assert now_kept(store, session).revoked_at == session.rotated_at

    def test_nothing_turns_after_an_acknowledged_revoke(self, store: Store) -> None:
        """A turn that begins after the revoke was acknowledged gets nothing, whatever else is going on."""
        for _ in range(20):
            session = keep_session(store)
            rival = Background(partial(turn, store, session))
            store.revoke_session(session.id, "logout", an_audit())
            kept = now_kept(store, session)
            assert turn(store, session, kept.generation) is None
            rival.outcome()
            assert now_kept(store, session) == kept
