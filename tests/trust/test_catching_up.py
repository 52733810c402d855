"""What callers may wait for: everything up to now, or up to a revision; never long, and never many of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from authsvc.clock import Deadline, deadline_after
from authsvc.errors import DeadlinePassed, Exhausted, Reason, Unavailable
from authsvc.model import Revision
from authsvc.trust.catching_up import LONGEST_WAIT, PLACES, CatchingUp
from authsvc.trust.looks import Looks
from tests.trust.test_looks import Eye, until
from tests.trust.workers import ACME, SARA, Worker

PATIENCE = 20.0


def catching_up(worker: Worker, looks: Looks | None = None) -> CatchingUp:
    domain = worker.domain
    return CatchingUp(domain.view, domain.feed, looks or domain.follower.looks, domain.freshness)


def test_up_to_now(worker: Worker, other: Worker) -> None:
    """Everything that was committed before the call is known when it returns."""
    other.revoke()
    catching_up(worker).to_now()
    assert worker.domain.view.revoked(ACME).mark_of(SARA) is not None


def test_requests_that_came_together_share_a_look(worker: Worker, other: Worker) -> None:
    """What is known since their arrival is enough for all of them; who comes later needs more."""
    waiter = catching_up(worker)
    arrival = waiter.arrival()
    waiter.to_now(arrival)
    revision = other.revoke()
    waiter.to_now(arrival)
    assert worker.domain.view.revision < revision
    waiter.to_now()
    assert worker.domain.view.revision == revision


def test_own_changes_are_let_count(worker: Worker, other: Worker) -> None:
    """What this worker committed after others counts as reached; where nothing is behind nobody looks."""
    catching_up(worker, Looks(_never)).to_own()
    other.revoke()
    revision = worker.revoke()
    waiter = catching_up(worker)
    assert waiter.behind
    waiter.to_own()
    assert (waiter.behind, worker.domain.view.revision) == (False, revision)


def test_own_changes_are_not_waited_for_where_the_store_is_away(worker: Worker, other: Worker) -> None:
    """Nothing is raised: what is minted then is older than its maker knows."""
    other.revoke()
    worker.revoke()
    waiter = catching_up(worker, Looks(_fails))
    waiter.to_own()
    assert waiter.behind


def test_a_store_that_does_not_answer(worker: Worker) -> None:
    """It is told as it is, and not as staleness."""
    waiter = catching_up(worker)
    worker.domain.store.close()
    with pytest.raises(Unavailable) as raised:
        waiter.to_now()
    assert raised.value.reason is Reason.STORE_UNAVAILABLE


def test_up_to_a_revision(worker: Worker, other: Worker) -> None:
    """What is known needs no look; what is not known is looked for once."""
    looks = Looks(_never)
    catching_up(worker, looks).to_revision(worker.domain.view.revision)
    revision = other.revoke()
    catching_up(worker).to_revision(revision)
    assert worker.domain.view.revision == revision


def test_a_revision_that_no_change_has_had(worker: Worker) -> None:
    """One good look is enough to say that it is not there: who knows a number knows it from a finished change."""
    eye = Eye()
    eye.let(10)
    with pytest.raises(Unavailable) as raised:
        catching_up(worker, Looks(eye)).to_revision(2**62)
    assert (raised.value.reason, eye.begun) == (Reason.STALE, 1)


def test_a_store_that_comes_back_in_time(worker: Worker, other: Worker) -> None:
    """A look that fails is made again while there is time."""
    revision, view = other.revoke(), worker.domain.view
    fates = [Unavailable(Reason.STORE_UNAVAILABLE), None]

    def look(deadline: Deadline | None) -> None:
        fate = fates.pop(0)
        if fate is not None:
            raise fate
        worker.domain.feed.catch_up(deadline=deadline)

    catching_up(worker, Looks(look)).to_revision(revision)
    assert (view.revision, fates) == (revision, [])


@pytest.mark.parametrize("seconds", [0.05, 60])
def test_the_wait_is_bounded(worker: Worker, seconds: float) -> None:
    """By a second, and by the caller's deadline: then it is told that this worker has not seen the revision."""
    before = deadline_after(0)
    with pytest.raises(Unavailable) as raised:
        catching_up(worker, Looks(_fails)).to_revision(2**62, deadline=deadline_after(seconds))
    assert raised.value.reason is Reason.STALE
    assert raised.value.retry_after is not None
    assert deadline_after(0) - before >= min(seconds, LONGEST_WAIT)


def test_a_deadline_bounds_a_look(worker: Worker) -> None:
    """Who waits for another's look gives up in time."""
    eye = Eye()
    looks = Looks(eye)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(looks.catch_up)
        eye.wait(1)
        with pytest.raises(DeadlinePassed):
            catching_up(worker, looks).to_now(deadline=deadline_after(0.01))
        eye.let()
        first.result(PATIENCE)


def test_few_may_wait_at_once(worker: Worker) -> None:
    """They hold threads that others need: one too many is told at once to come later, and places come back."""
    eye = Eye()
    waiter = catching_up(worker, Looks(eye))
    with ThreadPoolExecutor(PLACES) as pool:
        calls = [pool.submit(waiter.to_now) for _ in range(PLACES)]
        until(lambda: waiter._places._value == 0)
        with pytest.raises(Exhausted) as now:
            waiter.to_now()
        with pytest.raises(Exhausted) as later:
            waiter.to_revision(2**62)
        assert now.value.reason is later.value.reason is Reason.OVERLOADED
        waiter.to_revision(Revision(0))
        eye.let(PLACES)
        for call in calls:
            call.result(PATIENCE)
    eye.let(1)
    waiter.to_now()


def _never(_: Deadline | None) -> None:
    raise AssertionError("nobody should have looked")


def _fails(_: Deadline | None) -> None:
    raise Unavailable(Reason.STORE_UNAVAILABLE)
