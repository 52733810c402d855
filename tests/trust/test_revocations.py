"""What is revoked in an app: kept small, told whole, forgotten when it can no longer matter and not before."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from authsvc.clock import to_microseconds
from authsvc.model import ApiKey, Revision, SessionId, SessionRevoked, TokenId, TokenRevoked, UserId, Watermark
from authsvc.trust.revocations import MARGIN, AppRevocations, Mark, mark_from
from authsvc.trust.view import TrustView
from tests.storage.records import an_app
from tests.verify.workshop import START

ACME = ApiKey("acme")
SARA, EVE = UserId("sara"), UserId("eve")
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
LIFE = timedelta(hours=2)
REACHED = Revision(100)


def a_session(number: int = 0) -> SessionId:
    return SessionId(number.to_bytes(16, "big"))


def a_watermark(user_id: UserId | None = SARA, revision: int = 5, **parts: Any) -> Watermark:
    """Everything up to a revision, with the moments that are given."""
    return Watermark(ACME, user_id, tokens_revision=Revision(revision), revision=Revision(revision), **parts)


def forgotten(revoked: AppRevocations, now: datetime, life: timedelta | None = LIFE, reached: int = REACHED) -> int:
    """Prune to the end; how many that were."""
    before = len(revoked)
    for _ in revoked.pruning(now, life, Revision(reached)):
        pass
    return before - len(revoked)


@pytest.fixture
def revoked() -> AppRevocations:
    """Nothing yet."""
    return AppRevocations()


@pytest.mark.parametrize("whom", [SARA, None])
def test_a_watermark_is_kept_in_seconds(revoked: AppRevocations, whom: UserId | None) -> None:
    """The second of a revocation is the one it falls into; a moment named is rounded up, so nothing before it lives."""
    whole = START.replace(microsecond=0)
    for offset in (timedelta(0), timedelta(microseconds=1), timedelta(microseconds=999_999)):
        moment = whole + offset
        revoked.put_watermark(a_watermark(whom, tokens_revoked_at=moment, tokens_issued_before=moment))
        mark = revoked.mark if whom is None else revoked.mark_of(whom)
        second = int(whole.timestamp())
        assert mark == Mark(5, 5, second, second + (offset > timedelta(0)))


def test_moments_that_no_second_of_ours_is_near_are_kept_as_the_nearest() -> None:
    """What lies before 1970 or after 2106 ends what it would end, and is never taken for nothing."""
    assert mark_from(1, 1, -5, -(10**15)) == Mark(1, 1, 1, 1)
    assert mark_from(1, 1, 0, 10**18) == Mark(1, 1, 1, 2**32 - 1)
    assert mark_from(1, 1, None, None) == Mark(1, 1, 0, 0)


def test_a_watermark_that_was_cleared_ends_nothing_and_holds_off_older_news(revoked: AppRevocations) -> None:
    """The newest state of a watermark counts, also where it says nothing about tokens any more."""
    revoked.put_watermark(a_watermark(revision=5))
    revoked.put_watermark(Watermark(ACME, SARA, revision=Revision(7)))
    revoked.put_watermark(a_watermark(revision=6))
    mark = revoked.mark_of(SARA)
    assert mark is not None
    assert mark.empty


def test_those_that_stay_for_ever_are_counted() -> None:
    """A token's that never expires and the whole app's always, users' where any token may never expire."""
    revoked = AppRevocations()
    assert [revoked.count_endless(life) for life in (HOUR, None)] == [0, 0]
    revoked.put_session(a_session(), START)
    revoked.put_token(TokenId("a"), START + HOUR)
    revoked.put_watermark(a_watermark(tokens_revoked_at=START))
    assert [revoked.count_endless(life) for life in (HOUR, None)] == [0, 1]
    revoked.put_token(TokenId("b"), None)
    revoked.put_token(TokenId("b"), None)
    revoked.put_watermark(a_watermark(None, tokens_issued_before=START))
    assert [revoked.count_endless(life) for life in (HOUR, None)] == [2, 3]
    revoked.put_token(TokenId("b"), START)
    assert revoked.count_endless(HOUR) == 1
    revoked.put_token(TokenId("b"), None)
    revoked.drop_token(TokenId("b"))
    revoked.drop_token(TokenId("b"))
    revoked.put_watermark(Watermark(ACME, None, revision=Revision(7)))
    assert revoked.count_endless(HOUR) == 0


def test_what_is_loaded_is_what_is_learnt() -> None:
    """Rows as a store gives very many are understood as the records are."""
    records: list[SessionRevoked | TokenRevoked | Watermark] = [
        SessionRevoked(ACME, a_session(), START, Revision(1)),
        TokenRevoked(ACME, TokenId("a"), START + HOUR, Revision(2)),
        TokenRevoked(ACME, TokenId("b"), None, Revision(3)),
        a_watermark(tokens_revoked_at=START),
        a_watermark(None, tokens_issued_before=START),
    ]
    learnt, loaded = TrustView(REACHED), TrustView(REACHED)
    for record in records:
        learnt.put_revocation(record)
    at = to_microseconds(START)
    loaded.load(
        [("acme", a_session(), at, 1)],
        [("acme", "a", to_microseconds(START + HOUR), 2), ("acme", "b", None, 3)],
        [("acme", "sara", 5, at, None, 0, None, 5, None), ("acme", "", 5, None, at, 0, None, 5, None)],
    )
    assert list(loaded.revocations(ACME)) == list(learnt.revocations(ACME))
    assert len(list(loaded.revocations(ACME))) == loaded.count_revoked() == 5


def test_all_of_them_can_be_told() -> None:
    """A snapshot has every revocation, the app's watermark first, each remembered at least as long as it was said."""
    view = TrustView(REACHED)
    view.put_revocation(SessionRevoked(ACME, a_session(), START, Revision(1)))
    view.put_revocation(TokenRevoked(ACME, TokenId("t"), None, Revision(2)))
    view.put_revocation(a_watermark(tokens_revoked_at=START))
    view.put_revocation(a_watermark(None, tokens_issued_before=START))
    whole, user, session, token = view.revocations(ACME)
    assert isinstance(whole, Watermark)
    assert isinstance(user, Watermark)
    assert (whole.user_id, whole.tokens_revoked_at) == (None, None)
    assert whole.tokens_issued_before == START
    assert (user.user_id, user.tokens_revoked_at) == (SARA, START)
    assert isinstance(session, SessionRevoked)
    assert START < session.until <= START + HOUR
    assert token == TokenRevoked(ACME, TokenId("t"), None, REACHED)


class TestPruning:
    """Forgetting, from the hour on in which nothing can matter any more."""

    @pytest.mark.parametrize(("later", "left"), [(timedelta(0), 3), (HOUR, 1)])
    def test_sessions_and_tokens(self, revoked: AppRevocations, later: timedelta, left: int) -> None:
        """Each goes within the hour after its time; what is remembered for ever stays."""
        revoked.put_session(a_session(), START)
        revoked.put_token(TokenId("t"), START)
        revoked.put_token(TokenId("ever"), None)
        assert forgotten(revoked, START + later) == 3 - left
        assert (len(revoked), revoked.has_token(TokenId("ever"))) == (left, True)

    @pytest.mark.parametrize("whom", [SARA, None])
    @pytest.mark.parametrize("part", ["tokens_revoked_at", "tokens_issued_before"])
    def test_watermarks(self, revoked: AppRevocations, whom: UserId | None, part: str) -> None:
        """A user's watermark stays while a token that it ends can live, and a day longer; the whole app's stays."""
        parts: dict[str, Any] = {part: START}
        revoked.put_watermark(a_watermark(whom, **parts))
        over = START + LIFE + MARGIN + SECOND
        assert forgotten(revoked, over - 2 * SECOND) == 0
        assert forgotten(revoked, over, None) == 0
        assert forgotten(revoked, over) == (whom is not None)
        assert len(revoked) == (whom is None)

    def test_a_watermark_by_revision_alone_stays(self, revoked: AppRevocations) -> None:
        """Nobody knows since when: it is not forgotten."""
        revoked.put_watermark(a_watermark())
        assert forgotten(revoked, START + timedelta(days=10_000)) == 0

    def test_what_is_new_holds_off_older_news(self, revoked: AppRevocations) -> None:
        """A cleared watermark goes only when everything up to its revision is in."""
        revoked.put_watermark(Watermark(ACME, SARA, revision=Revision(7)))
        assert forgotten(revoked, START, reached=6) == 0
        assert forgotten(revoked, START, reached=7) == 1

    @pytest.mark.parametrize(("ever", "left"), [(False, 0), (True, 1)])
    def test_a_view_prunes_by_what_it_knows_of_the_app(self, ever: bool, left: int) -> None:
        """Where tokens may live for ever, or the app is not known, watermarks stay for ever."""
        view = TrustView(REACHED)
        view.put_app(an_app(ever_non_expiring=ever))
        for name in (ACME, ApiKey("unknown")):
            view.put_revocation(Watermark(name, SARA, tokens_revoked_at=START, revision=Revision(1)))
        view.prune(START + timedelta(days=400))
        assert view.count_revoked() == left + 1


class Forgetful(AppRevocations):
    """Forgets a token before it learns it again."""

    def put_token(self, token_id: TokenId, until: datetime | None) -> None:
        self.drop_token(token_id)
        super().put_token(token_id, until)


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize(("kind", "missed"), [(AppRevocations, False), (Forgetful, True)])
def test_what_is_learnt_again_was_never_forgotten(kind: type[AppRevocations], missed: bool) -> None:
    """Whoever looks while a revocation is learnt a second time finds it; a careless one shows that it is seen."""
    revoked, done, missing = kind(), threading.Event(), list[str]()
    learn_all(revoked, START)
    reader = threading.Thread(target=lambda: missing.extend(missed_until(done, revoked)))
    reader.start()
    for number in range(20_000):
        learn_all(revoked, START + timedelta(hours=number % 3))
    done.set()
    reader.join()
    assert bool(missing) is missed


def learn_all(revoked: AppRevocations, moment: datetime) -> None:
    """One of each kind."""
    revoked.put_token(TokenId("t"), moment)
    revoked.put_session(a_session(), moment)
    revoked.put_watermark(a_watermark(tokens_revoked_at=moment))


def missed_until(done: threading.Event, revoked: AppRevocations) -> Iterator[str]:
    """Which of them were not found."""
    while not done.is_set():
        found = {
            "token": revoked.has_token(TokenId("t")),
            "session": revoked.has_session(a_session()),
            "user": revoked.mark_of(SARA) is not None,
        }
        yield from (kind for kind, there in found.items() if not there)


@pytest.mark.parametrize("moment", [START, START + timedelta(days=2_900_000), START - timedelta(days=100_000)])
def test_a_moment_that_no_hour_of_ours_is_near_is_not_for_ever(revoked: AppRevocations, moment: datetime) -> None:
    """What ends beyond all hours that are kept is remembered until the last of them, what ended long ago for none."""
    revoked.put_session(a_session(), moment)
    revoked.put_token(TokenId("t"), moment)
    ((session, token), life) = revoked.records(ACME, REACHED), timedelta(days=1)
    assert isinstance(session, SessionRevoked)
    assert isinstance(token, TokenRevoked)
    assert session.until == token.until
    assert token.until is not None
    assert revoked.count_endless(life) == 0


def test_pruning_a_part_at_a_time_lets_go_when_everything_was_read_again() -> None:
    """Steps are small; one that is taken after the view holds another state touches neither and is the last."""
    count, view, other = 60_000, TrustView(REACHED), TrustView(REACHED)
    view.put_app(an_app())
    view.load([(ACME, a_session(number), to_microseconds(START), 1) for number in range(count)], [], [])
    steps = view.pruning(START + LIFE)
    next(steps)
    left = view.count_revoked()
    assert 0 < left < count
    assert count - left < count / 2
    other.load([(ACME, a_session(), to_microseconds(START), 1)], [], [])
    view.become(other)
    assert list(steps) == []
    assert view.count_revoked() == 1


def test_a_million_would_fit() -> None:
    """An entry takes at most 60 bytes, whichever kind it is of, and the collector walks through none of them."""
    count, view = 20_000, TrustView(REACHED)
    view.put_app(an_app())
    view.put_revocation(SessionRevoked(ACME, a_session(), START, Revision(1)))
    gc.collect()
    walked = len(gc.get_objects())
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(count):
            view.put_revocation(SessionRevoked(ACME, a_session(number), START, Revision(1)))
            view.put_revocation(TokenRevoked(ACME, TokenId(f"{number:027}"), START, Revision(1)))
            view.put_revocation(
                Watermark(ACME, UserId(f"user-{number}"), tokens_revoked_at=START, revision=Revision(1))
            )
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        more = len(gc.get_objects()) - walked
    finally:
        tracemalloc.stop()
    assert view.count_revoked() == 3 * count
    assert (after - before) / (3 * count) < 60
    assert more < 100
