"""Turning a session: one conditional statement, one winner."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from authsvc.model import ApiKey, Session, SessionId, UserId
from authsvc.storage.base import Store
from tests.storage.crowd import all_at_once
from tests.storage.places import START, SettableClock
from tests.storage.records import APP, IDLE, SARA, WHOLE, an_audit, keep_app, keep_session, now_kept, turn

MICROSECOND = timedelta(microseconds=1)


class Turning:
    """``turn_session``."""

    def test_a_turn_changes_four_fields(self, store: Store, clock: SettableClock) -> None:
        """A turn moves generation, ``rotated_at``, ``request_id_hash`` and the idle expiry, and nothing else."""
        session = keep_session(store)
        now = clock.advance(timedelta(hours=3, microseconds=1))
        turned = turn(store, session, request_id_hash=b"\x00\xff", idle_ttl=timedelta(hours=5))
        expected = session._replace(
            generation=1, rotated_at=now, request_id_hash=b"\x00\xff", idle_expires_at=now + timedelta(hours=5)
        )
        assert turned == expected == now_kept(store, session)

    def test_idle_expiry_stops_at_the_absolute_one(self, store: Store) -> None:
        """However long the idle lifetime, the session ends at ``absolute_expires_at``."""
        turned = turn(store, keep_session(store), idle_ttl=WHOLE + MICROSECOND)
        assert turned is not None
        assert turned.idle_expires_at == turned.absolute_expires_at == START + WHOLE

    @pytest.mark.parametrize("generation", [0, 1, 3, 4, 2**32 - 1])
    def test_another_generation_is_refused(self, store: Store, generation: int) -> None:
        """Only the stored generation turns; its neighbours change nothing."""
        session = keep_session(store, generation=2)
        assert turn(store, session, generation) is None
        assert now_kept(store, session) == session
        assert turn(store, session, 2) is not None

    def test_an_unknown_session_is_refused(self, store: Store) -> None:
        """A session that is not there does not turn."""
        session = keep_session(store)
        assert turn(store, session._replace(id=SessionId(session.id[::-1]))) is None

    def test_a_revoked_session_is_refused(self, store: Store) -> None:
        """A session that was ended does not turn, and is not changed."""
        session = keep_session(store)
        store.revoke_session(session.id, "logout", an_audit())
        ended = now_kept(store, session)
        assert turn(store, session) is None
        assert now_kept(store, session) == ended

    @pytest.mark.parametrize("whom", [SARA, None])
    @pytest.mark.parametrize("before", [None, START + MICROSECOND])
    def test_a_covered_session_is_refused(self, store: Store, whom: UserId | None, before: object) -> None:
        """A session from before its user's or app's watermark, by revision or by time, neither turns nor changes."""
        session = keep_session(store)
        store.raise_watermark(APP, whom, an_audit(), issued_before=before)  # type: ignore[arg-type]
        state = store.session_state(session.id)
        assert state is not None
        assert state.covered
        assert turn(store, session) is None
        assert now_kept(store, session) == session

    def test_watermarks_of_others_cover_nothing(self, store: Store) -> None:
        """Watermarks of another user, app or spelling, or with an earlier time, leave the session alive."""
        for api_key in ("other", "ACME"):
            keep_app(store, api_key)
        session = keep_session(store)
        for api_key, user in [(APP, "tom"), (APP, "Sara"), ("other", "sara"), ("other", None), ("ACME", "sara")]:
            store.raise_watermark(ApiKey(api_key), None if user is None else UserId(user), an_audit())
        store.raise_watermark(APP, None, an_audit(), issued_before=START)
        state = store.session_state(session.id)
        assert state is not None
        assert not state.covered
        assert turn(store, session) is not None

    def test_a_session_opened_after_a_watermark_lives(self, store: Store) -> None:
        """Revoking everything up to now ends no session that begins later, even in the same microsecond."""
        keep_app(store)
        store.raise_watermark(APP, SARA, an_audit())
        store.raise_watermark(APP, None, an_audit())
        assert turn(store, keep_session(store)) is not None

    @pytest.mark.parametrize("end", ["idle_expires_at", "absolute_expires_at"])
    def test_an_expired_session_is_refused(self, store: Store, clock: SettableClock, end: str) -> None:
        """A session turns until a microsecond before either expiry, and not at it."""
        moment = START + timedelta(hours=1)
        keeps, ends = keep_session(store, **{end: moment}), keep_session(store, **{end: moment})
        clock.now = moment - MICROSECOND
        assert turn(store, keeps) is not None
        clock.now = moment
        assert turn(store, ends) is None
        assert now_kept(store, ends) == ends

    def test_a_clock_that_goes_backwards_moves_nothing_back(self, store: Store, clock: SettableClock) -> None:
        """``rotated_at`` never shrinks, lifetimes count from it, and it decides expiry when the clock is behind."""
        session = keep_session(store, rotated_at=START, absolute_expires_at=START + 3 * IDLE)
        clock.advance(timedelta(days=-30))
        turned = turn(store, session)
        assert turned is not None
        assert turned.rotated_at == START
        assert turned.idle_expires_at == START + IDLE
        over = keep_session(store, rotated_at=START, idle_expires_at=START)
        assert turn(store, over) is None

    def test_one_of_many_wins(self, store: Store) -> None:
        """Of 64 that present one generation together exactly one gets the session, round after round."""
        session = keep_session(store)
        for generation in range(8):
            calls = [partial(turn, store, session, generation, request_id_hash=bytes([i])) for i in range(64)]
            outcomes = all_at_once(calls)
            winners = [outcome for outcome in outcomes if isinstance(outcome, Session)]
            assert outcomes.count(None) == 63
            assert winners == [now_kept(store, session)]
            assert winners[0].generation == generation + 1
