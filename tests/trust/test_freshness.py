"""How fresh memory is: counted from the beginning of the last look that succeeded, by a clock that is never set."""

from __future__ import annotations

from datetime import timedelta

import pytest

from authsvc.errors import Reason, Unavailable
from authsvc.trust.freshness import Freshness
from tests.conftest import HandClock
from tests.trust.ticks import Ticks

BOUND = timedelta(seconds=5)


@pytest.fixture
def ticks() -> Ticks:
    """A monotonic clock that is moved by hand."""
    return Ticks()


@pytest.fixture
def freshness(clock: HandClock, ticks: Ticks) -> Freshness:
    """Of a worker that follows its store from now on."""
    freshness = Freshness(BOUND, clock=clock, monotonic=ticks)
    freshness.follow()
    return freshness


def test_memory_is_fresh_for_its_bound(freshness: Freshness, ticks: Ticks) -> None:
    """Up to the bound memory may be answered from; beyond it every check is refused, with a time to come back."""
    ticks.move(5)
    freshness.check()
    before = freshness.stale
    ticks.move(0.000_001)
    assert (before, freshness.stale) == (False, True)
    with pytest.raises(Unavailable) as raised:
        freshness.check()
    assert (raised.value.reason, raised.value.retry_after) == (Reason.STALE, timedelta(seconds=1))


def test_a_look_counts_from_its_beginning(freshness: Freshness, ticks: Ticks, clock: HandClock) -> None:
    """What was committed while a look was under way may have been missed by it."""
    ticks.move(3)
    clock.move(seconds=3)
    began = freshness.begin()
    at = clock()
    ticks.move(4)
    clock.move(seconds=4)
    told = [freshness.stale]
    freshness.looked(began)
    told.append(freshness.stale)
    assert (freshness.as_of, freshness.age) == (at, timedelta(seconds=4))
    ticks.move(1.000_001)
    assert [*told, freshness.stale] == [True, False, True]


def test_a_slow_look_takes_nothing_back(freshness: Freshness, ticks: Ticks) -> None:
    """A look that began earlier and ended later than another one makes nothing older."""
    slow = freshness.begin()
    ticks.move(3)
    freshness.looked(freshness.begin())
    freshness.looked(slow)
    ticks.move(4)
    assert not freshness.stale


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_clock_that_is_set_changes_nothing(freshness: Freshness, ticks: Ticks, clock: HandClock, jump: int) -> None:
    """The wall clock only dates what people are told."""
    clock.move(seconds=jump)
    told = [freshness.stale]
    ticks.move(6)
    clock.move(seconds=-jump)
    assert [*told, freshness.stale] == [False, True]


def test_where_nobody_follows_nothing_becomes_stale(clock: HandClock, ticks: Ticks) -> None:
    """A command on the store has its view for a moment; the count begins when somebody follows."""
    freshness = Freshness(BOUND, clock=clock, monotonic=ticks)
    ticks.move(1_000)
    told = [freshness.stale]
    freshness.follow()
    assert [*told, freshness.stale] == [False, True]
