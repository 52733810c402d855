"""Forgetting what no longer matters, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from authsvc.model import ApiKey, App, Commit, LogLevel, Revision, Session, SessionId, TokenId, UserId
from authsvc.storage.base import Purged, Store
from tests.storage.crowd import Background, all_at_once
from tests.storage.places import START, Place, SettableClock
from tests.storage.records import (
    APP,
    IDLE,
    SARA,
    WHOLE,
    a_key,
    a_session,
    an_app,
    an_audit,
    keep_app,
    keep_session,
    turn,
)

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
SKEW = timedelta(seconds=120)
"""The largest difference of clocks an app can allow for."""
LEEWAY = HOUR
"""How much longer than needed everything is kept."""
LIFE = timedelta(hours=5)
"""How long a token of the app can live."""
ACCESS = a_session().access_ttl
AFTER = ACCESS + SKEW + LEEWAY
"""How long after its end a session that was not revoked goes."""
MANY = 1000


def purge(store: Store, *, limit: int = MANY, keep_revisions: int = MANY) -> Purged:
    return store.purge(limit=limit, keep_revisions=keep_revisions)


def removed(store: Store, table: str, **options: int) -> int:
    """How many rows of a table a purge removes that removes nothing else."""
    found = dict(purge(store, **options).removed)
    count = found.pop(table)
    assert set(found.values()) == {0}
    return count


def goes_at(store: Store, clock: SettableClock, table: str, moment: datetime) -> None:
    """Fail unless a row of the table stays while it is needed, until that moment and the leeway, and then goes."""
    before = store.counts()
    clock.now = moment + LEEWAY - MICROSECOND
    assert purge(store).removed[table] == 0
    assert store.counts() == before
    clock.now = moment + LEEWAY
    assert removed(store, table) == 1
    assert store.counts() == {**before, table: before[table] - 1}


def turn_beside_a_purge(store: Store, session: Session) -> Session:
    """The session as it was turned while another purged."""
    purging = Background(partial(purge, store))
    turned = turn(store, session)
    assert isinstance(purging.outcome(), Purged)
    assert turned is not None
    return turned


def is_there(store: Store, session_id: SessionId) -> bool:
    return store.session_state(session_id) is not None


class Purging:
    """``purge``."""

    @pytest.fixture(autouse=True)
    def app(self, store: Store) -> App:
        """An app whose tokens can live for five hours and whose sessions for ninety days."""
        return store.create_app(an_app(longest_ttl_ever=LIFE), a_key(), an_audit())

    def test_where_nothing_is_due_nothing_happens(self, store: Store) -> None:
        """A store in which everything matters is left as it is, and the purge says that it is complete."""
        session = keep_session(store)
        store.revoke_session(session.id, "logout", an_audit())
        store.revoke_token(APP, TokenId("jti"), START + HOUR, an_audit())
        store.raise_watermark(APP, SARA, an_audit())
        before = store.trust_state(), store.counts()
        outcome = purge(store)
        assert (outcome.complete, outcome.oldest_due, set(outcome.removed.values())) == (True, None, {0})
        assert (store.trust_state(), store.counts()) == before

    @pytest.mark.parametrize("end", ["idle_expires_at", "absolute_expires_at"])
    def test_a_session_goes_after_either_end(self, store: Store, clock: SettableClock, end: str) -> None:
        """A session goes when its idle or absolute end and its last token's are over: till then it can be revoked."""
        keep_session(store, **{end: START + HOUR}, access_ttl=ACCESS)
        goes_at(store, clock, "sessions", START + HOUR + ACCESS + SKEW)

    def test_a_session_that_is_used_stays(self, store: Store, clock: SettableClock) -> None:
        """A turn puts the end off: at the first end the session stays and turns, and goes after the last one."""
        session = keep_session(store)
        clock.now = START + IDLE - HOUR
        turned = turn(store, session)
        assert turned is not None
        clock.now = START + IDLE + AFTER
        assert removed(store, "sessions") == 0
        assert purge(store).complete
        again = turn(store, turned)
        assert again is not None
        goes_at(store, clock, "sessions", again.idle_expires_at + ACCESS + SKEW)

    def test_an_ended_session_outlives_its_last_token(self, store: Store, clock: SettableClock) -> None:
        """A revoked session stays as long as a token can live that was minted at its absolute end."""
        session = keep_session(store)
        store.revoke_session(session.id, "logout", an_audit())
        clock.now = START + IDLE + 2 * LEEWAY  # long after its idle end
        assert removed(store, "sessions") == 0
        goes_at(store, clock, "sessions", START + WHOLE + LIFE + SKEW)

    def test_a_session_whose_count_is_ahead_of_the_clock_stays(self, store: Store, clock: SettableClock) -> None:
        """A session goes no sooner than the second its generation names: one with its id then begins beyond it."""
        ahead = START.replace(microsecond=0) + IDLE + timedelta(days=3)
        keep_session(store, generation=int(ahead.timestamp()))
        goes_at(store, clock, "sessions", ahead)

    def test_an_ended_session_whose_count_is_ahead_stays(self, store: Store, clock: SettableClock) -> None:
        """The same, where it was ended."""
        ahead = START.replace(microsecond=0) + 2 * WHOLE
        session = keep_session(store, generation=int(ahead.timestamp()))
        store.revoke_session(session.id, "logout", an_audit())
        goes_at(store, clock, "sessions", ahead)

    def test_a_single_token_goes_at_its_moment(self, store: Store, clock: SettableClock) -> None:
        """A revoked token goes after the moment it is remembered until; one without stays for ever."""
        store.revoke_token(APP, TokenId("endless"), None, an_audit())
        store.revoke_token(APP, TokenId("jti"), START + HOUR, an_audit())
        goes_at(store, clock, "revoked_tokens", START + HOUR)
        clock.now = START + timedelta(days=36500)
        assert removed(store, "revoked_tokens") == 0

    def test_a_watermark_outlives_what_it_covers(self, store: Store, clock: SettableClock) -> None:
        """A watermark goes when neither a session nor a token from before it can live."""
        store.raise_watermark(APP, SARA, an_audit())
        goes_at(store, clock, "watermarks", START + WHOLE)

    def test_a_watermark_outlives_long_tokens(self, store: Store, clock: SettableClock) -> None:
        """Where tokens can live for longer than sessions, they decide, with the largest skew."""
        store.edit_app(APP, lambda app: replace(app, longest_ttl_ever=2 * WHOLE), an_audit())
        store.raise_watermark(APP, None, an_audit())
        goes_at(store, clock, "watermarks", START + 2 * WHOLE + SKEW)

    @pytest.mark.parametrize("before", [START - HOUR, START + 2 * HOUR])
    def test_an_explicit_time_counts_from_itself(self, store: Store, clock: SettableClock, before: datetime) -> None:
        """A watermark of times alone goes when what was issued up to then can no longer live."""
        store.raise_watermark(APP, SARA, an_audit(), issued_before=before)
        goes_at(store, clock, "watermarks", before + WHOLE)

    def test_the_latest_part_decides(self, store: Store, clock: SettableClock) -> None:
        """A watermark that was raised again, by revision or by time, stays for what its latest part covers."""
        store.raise_watermark(APP, SARA, an_audit())
        clock.advance(HOUR)
        store.raise_watermark(APP, SARA, an_audit())
        store.raise_watermark(APP, SARA, an_audit(), issued_before=START)
        goes_at(store, clock, "watermarks", START + HOUR + WHOLE)

    @pytest.mark.parametrize("grown", ["longest_ttl_ever", "longest_session_ever"])
    def test_lives_that_have_grown_are_respected(self, store: Store, clock: SettableClock, grown: str) -> None:
        """When an app's tokens or sessions may live for longer after the watermark was raised, it stays for longer."""
        store.raise_watermark(APP, SARA, an_audit())
        longer = {grown: 3 * WHOLE}
        store.edit_app(APP, lambda app: replace(app, **longer), an_audit())  # type: ignore[arg-type]
        goes_at(store, clock, "watermarks", START + 3 * WHOLE + (SKEW if grown == "longest_ttl_ever" else 0 * SKEW))

    @pytest.mark.parametrize("since", ["before", "after"])
    def test_endless_tokens_are_remembered_for_ever(self, store: Store, clock: SettableClock, since: str) -> None:
        """Where a token may live for ever its watermark stays for ever, though that was allowed only later."""
        endless = partial(store.edit_app, APP, lambda app: replace(app, ever_non_expiring=True), an_audit())
        if since == "before":
            endless()
        store.raise_watermark(APP, SARA, an_audit())
        if since == "after":
            endless()
        clock.now = START + timedelta(days=36500)
        assert removed(store, "watermarks") == 0
        assert purge(store).complete
        store.clear_watermark(APP, SARA, an_audit())  # what is left is about sessions, which end
        assert removed(store, "watermarks") == 1

    def test_a_cleared_watermark_stays_for_its_sessions(self, store: Store, clock: SettableClock) -> None:
        """After its part about tokens was taken back a watermark goes when no session from before it can live."""
        store.edit_app(APP, lambda app: replace(app, longest_ttl_ever=2 * WHOLE), an_audit())
        store.raise_watermark(APP, SARA, an_audit())
        store.clear_watermark(APP, SARA, an_audit())
        goes_at(store, clock, "watermarks", START + WHOLE)

    def test_a_level_goes_after_its_time(self, store: Store, clock: SettableClock) -> None:
        """A log level goes once its time has passed."""
        store.set_levels([LogLevel("storage", "debug", START + HOUR)], reset=False, audit=an_audit())
        goes_at(store, clock, "log_levels", START + HOUR)

    @pytest.mark.parametrize("keep", [0, 1, 3, 100])
    def test_the_newest_revisions_of_the_feed_stay(self, store: Store, keep: int) -> None:
        """Rows of the feed go but for those of the newest revisions; who needs older ones has to load again."""
        for _ in range(5):
            store.raise_watermark(APP, SARA, an_audit())
        head = store.trust_state().revision
        purge(store, keep_revisions=keep)
        for after in range(head + 1):
            page = store.changes_since(Revision(after))
            reached = after >= max(0, head - keep)
            assert (page is not None) == reached, after
            if page is not None:
                assert [commit.revision for commit in page.commits] == list(range(after + 1, head + 1))
        revision = store.raise_watermark(APP, SARA, an_audit())
        page = store.changes_since(head)
        assert page is not None
        assert [commit.revision for commit in page.commits] == [revision]

    def test_half_a_revision_is_none(self, store: Store) -> None:
        """While a purge has removed only a part of a commit's rows, the feed does not reach back to that commit."""
        keep_app(store, "other")  # two rows under revision 2, as the first app has under 1
        for rows, oldest in [(1, 1), (2, 1), (3, 2), (4, 2)]:
            assert removed(store, "feed", limit=1, keep_revisions=0) == 1
            assert store.changes_since(Revision(oldest - 1)) is None, rows
            assert store.changes_since(Revision(2)) is not None
            if rows == 2:
                page = store.changes_since(Revision(1))
                assert page is not None
                assert [len(commit.changes) for commit in page.commits] == [2]

    @pytest.mark.parametrize("limit", [1, 3, 250])
    def test_a_budget_is_kept(self, store: Store, clock: SettableClock, limit: int) -> None:
        """No purge removes more than its limit; one after the other they remove everything, and say when that is so."""
        for number in range(7):
            keep_session(store, idle_expires_at=START + number * HOUR)
            store.revoke_token(APP, TokenId(f"jti-{number}"), START + HOUR, an_audit())
        clock.now = START + 6 * HOUR + AFTER
        total = 0
        while not (outcome := purge(store, limit=limit)).complete:
            assert 0 < sum(outcome.removed.values()) <= limit
            assert outcome.oldest_due is not None
            total += sum(outcome.removed.values())
        assert total + sum(outcome.removed.values()) == 14
        assert (store.counts()["sessions"], store.counts()["revoked_tokens"]) == (0, 0)

    def test_it_says_since_when_it_is_behind(self, store: Store, clock: SettableClock) -> None:
        """What could have gone for longest tells how far the purges are behind; without a budget nothing goes."""
        keep_session(store, idle_expires_at=START + 2 * HOUR)
        store.revoke_token(APP, TokenId("jti"), START + HOUR, an_audit())
        clock.now = START + timedelta(days=1)
        assert purge(store, limit=0).oldest_due == START + HOUR + LEEWAY
        store.clear_token(APP, TokenId("jti"), an_audit())
        assert purge(store, limit=0).oldest_due == START + 2 * HOUR + AFTER
        assert purge(store).oldest_due is None

    def test_sessions_put_off_are_looked_at_once(self, store: Store, clock: SettableClock) -> None:
        """Many sessions that are used are put off once and then not due again, however small the budget."""
        sessions = [keep_session(store) for _ in range(20)]
        clock.now = START + IDLE - HOUR
        for session in sessions:
            turn(store, session)
        clock.now = START + IDLE + AFTER
        rounds = [purge(store, limit=8).complete for _ in range(4)]
        assert rounds == [False, False, True, True]
        assert store.counts()["sessions"] == 20

    def test_no_revision_is_spent_and_nobody_is_told(self, store: Store, clock: SettableClock) -> None:
        """Purging leaves the revision where it was, writes no audit, and listeners hear nothing."""
        keep_session(store)
        store.revoke_token(APP, TokenId("jti"), START, an_audit())
        before, audited, heard = store.trust_state().revision, store.counts()["audit"], list[Commit]()
        store.listen(heard.append)
        clock.now = START + WHOLE
        assert sum(purge(store).removed.values()) == 2
        assert (store.trust_state().revision, store.counts()["audit"], heard) == (before, audited, [])

    def test_many_may_purge_at_once(self, store: Store, place: Place, clock: SettableClock) -> None:
        """Several stores that purge the same data at the same time remove each row once, and none too many."""
        due = [keep_session(store, idle_expires_at=START) for _ in range(50)]
        kept = [keep_session(store) for _ in range(50)]
        clock.now = START + AFTER
        others = [place.open(clock=clock) for _ in range(3)]
        outcomes = all_at_once([partial(purge, one) for one in (store, *others)])
        assert all(isinstance(outcome, Purged) for outcome in outcomes)
        assert not any(is_there(store, session.id) for session in due)
        assert all(is_there(store, session.id) for session in kept)
        while not purge(store).complete:
            pass
        assert store.counts()["sessions"] == 50

    def test_turns_that_race_with_a_purge_are_kept(self, store: Store, clock: SettableClock) -> None:
        """A session that turns while a purge looks at it as due is there afterwards."""
        for _ in range(10):
            session = keep_session(store, idle_expires_at=clock.now + HOUR, absolute_expires_at=clock.now + WHOLE)
            clock.now += HOUR - MICROSECOND
            turned = turn_beside_a_purge(store, session)
            clock.now += AFTER + MICROSECOND
            assert turn_beside_a_purge(store, turned).generation == 2
            assert is_there(store, session.id)

    def test_other_apps_have_their_own_lives(self, store: Store, clock: SettableClock) -> None:
        """How long an app's things can live decides about its own rows alone."""
        store.create_app(an_app("other", longest_session_ever=HOUR), a_key("other"), an_audit())
        store.raise_watermark(ApiKey("other"), SARA, an_audit())
        store.raise_watermark(APP, UserId("tom"), an_audit())
        clock.now = START + LIFE + SKEW + LEEWAY
        assert removed(store, "watermarks") == 1
        assert [mark.api_key for mark in store.trust_state().watermarks] == [APP]
