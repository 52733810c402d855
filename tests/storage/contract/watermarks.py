"""Ending what was issued to a user or an app in O(1)."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations

import pytest

from authsvc.errors import NotFound, Reason
from authsvc.model import ApiKey, UserId, Watermark
from authsvc.storage.base import Store
from tests.storage.places import START, Place, SettableClock
from tests.storage.records import APP, SARA, an_audit, keep_app, keep_session, now_kept, turn

MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1)


class Watermarks:
    """``raise_watermark``."""

    def test_everything_up_to_now(self, store: Store, clock: SettableClock) -> None:
        """Without a time both revisions become the new one, and the two moments of revoking the store's clock."""
        keep_app(store)
        now = clock.advance(MICROSECOND)
        revision = store.raise_watermark(APP, SARA, an_audit())
        expected = Watermark(APP, SARA, revision, now, None, revision, None, revision, now)
        assert store.trust_state().watermarks == (expected,)
        assert store.trust_state().revision == revision

    def test_a_time_alone(self, store: Store) -> None:
        """With a time only the two times move; no revision is covered and nothing counts as revoked now."""
        keep_app(store)
        before = START - timedelta(days=1, microseconds=1)
        revision = store.raise_watermark(APP, None, an_audit(), issued_before=before)
        assert store.trust_state().watermarks == (
            Watermark(APP, None, tokens_issued_before=before, sessions_created_before=before, revision=revision),
        )

    @pytest.mark.parametrize("order", list(permutations([None, START + HOUR, START - HOUR])))
    def test_no_part_ever_shrinks(self, store: Store, clock: SettableClock, order: list[datetime | None]) -> None:
        """Whatever the order of the calls, and though the clock goes backwards, each part keeps its largest value."""
        keep_app(store)
        first = store.raise_watermark(APP, SARA, an_audit())
        clock.advance(-HOUR)
        revisions = [store.raise_watermark(APP, SARA, an_audit(), issued_before=before) for before in order]
        assert revisions == [first + 1, first + 2, first + 3]
        latest = revisions[order.index(None)]
        later = START + HOUR
        expected = Watermark(APP, SARA, latest, START, later, latest, later, revisions[-1], START)
        assert store.trust_state().watermarks == (expected,)

    def test_users_and_the_app_have_their_own(self, store: Store) -> None:
        """The app's watermark, two spellings of a user and another app's are four."""
        keep_app(store)
        keep_app(store, "other")
        for api_key, user in [(APP, None), (APP, SARA), (APP, UserId("SARA")), (ApiKey("other"), SARA)]:
            store.raise_watermark(api_key, user, an_audit())
        assert [(mark.api_key, mark.user_id) for mark in store.trust_state().watermarks] == [
            (APP, None),
            (APP, "SARA"),
            (APP, "sara"),
            ("other", "sara"),
        ]

    def test_no_user_has_an_empty_id(self, store: Store) -> None:
        """An empty user id is a mistake of the program: it must never be taken for the whole app."""
        keep_app(store)
        with pytest.raises(ValueError, match="empty user id"):
            store.raise_watermark(APP, UserId(""), an_audit())
        assert store.trust_state().watermarks == ()

    def test_an_unknown_app_is_not_found(self, store: Store) -> None:
        """Raising a watermark of an app that is not there raises APP_NOT_FOUND and changes nothing."""
        before = store.trust_state(), store.counts()
        with pytest.raises(NotFound) as refusal:
            store.raise_watermark(APP, SARA, an_audit())
        assert refusal.value.reason is Reason.APP_NOT_FOUND
        assert (store.trust_state(), store.counts()) == before

    def test_it_takes_one_row_however_many_it_covers(self, store: Store) -> None:
        """Revoking a user's sessions writes a watermark, a feed and an audit row, and touches no session."""
        sessions = [keep_session(store) for _ in range(20)]
        counts = store.counts()
        store.raise_watermark(APP, SARA, an_audit())
        grown = {table: counts[table] + 1 for table in ("watermarks", "feed", "audit")}
        assert store.counts() == {**counts, **grown}
        assert [now_kept(store, session) for session in sessions] == sessions

    def test_another_opener_sees_it_at_once(self, store: Store, place: Place, clock: SettableClock) -> None:
        """A turn through another store on the same data is refused as soon as the watermark was acknowledged."""
        session, other = keep_session(store), place.open(clock=clock)
        store.raise_watermark(APP, SARA, an_audit())
        assert turn(other, session) is None
