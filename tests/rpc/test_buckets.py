"""Token buckets: how many at once, how many in the long run, how long to wait, and how many holders are remembered."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from authsvc.rpc.buckets import Buckets
from tests.rpc.ticking import HandTicks

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def ten_a_minute(ticks: HandTicks, *, most: int = 100) -> Buckets:
    """Ten at once, then one each six seconds."""
    return Buckets(burst=10, refill=MINUTE, most=most, monotonic=ticks)


def taken(buckets: Buckets, holder: str, tries: int) -> int:
    """How many of so many tries in a row took one."""
    return [buckets.take(holder) for _ in range(tries)].count(None)


def test_a_full_bucket_gives_its_burst() -> None:
    """Ten can be taken at once, and not one more."""
    assert taken(ten_a_minute(HandTicks()), "a", 30) == 10


def test_an_empty_bucket_fills_evenly() -> None:
    """Each six seconds one more can be taken; after a minute without calls, ten, and never more."""
    ticks = HandTicks()
    buckets = ten_a_minute(ticks)
    taken(buckets, "a", 10)
    for seconds, expected in ((5.999, 0), (0.001, 1), (6, 1), (18, 3), (60, 10), (3_600, 10)):
        ticks.move(seconds)
        assert taken(buckets, "a", 30) == expected, seconds


@pytest.mark.parametrize("after", [0.0, 0.5, 3.0, 5.999999])
def test_the_delay_is_right(after: float) -> None:
    """A moment before the delay is over there is nothing yet; when it is over there is."""
    ticks = HandTicks()
    buckets = ten_a_minute(ticks)
    taken(buckets, "a", 10)
    ticks.move(after)
    delay = buckets.take("a")
    assert delay == timedelta(seconds=6) - timedelta(seconds=after)
    ticks.move(delay.total_seconds() - 0.000001)
    assert buckets.take("a") == timedelta(microseconds=1)
    ticks.move(0.000001)
    assert buckets.take("a") is None


def test_a_refusal_costs_nothing() -> None:
    """Who keeps trying waits no longer than who waits."""
    ticks = HandTicks()
    buckets = ten_a_minute(ticks)
    assert taken(buckets, "eager", 1_000) == taken(buckets, "patient", 10) == 10
    assert buckets.take("eager") == buckets.take("patient") == timedelta(seconds=6)


@pytest.mark.parametrize(("burst", "refill"), [(1, MINUTE), (3, SECOND), (7, SECOND), (10, MINUTE), (100, SECOND)])
def test_the_long_run_has_the_rate(burst: int, refill: timedelta) -> None:
    """Over a hundred refills a holder that always tries gets its burst and its rate, whatever the numbers."""
    ticks = HandTicks()
    buckets = Buckets(burst=burst, refill=refill, most=10, monotonic=ticks)
    step = refill.total_seconds() / burst
    got = taken(buckets, "a", burst * 2)
    for _ in range(burst * 100):
        ticks.move(step)
        got += taken(buckets, "a", 2)
    assert got == burst * 101


def test_holders_do_not_share() -> None:
    """What one holder took leaves the others' buckets full."""
    buckets = ten_a_minute(HandTicks())
    taken(buckets, "a", 30)
    assert taken(buckets, "b", 30) == 10


def test_the_memory_is_bounded_and_the_oldest_is_forgotten() -> None:
    """Beyond the bound the holder not seen for longest is forgotten; one that is seen again and again is not."""
    ticks = HandTicks()
    buckets = ten_a_minute(ticks, most=100)
    taken(buckets, "old", 30)
    taken(buckets, "busy", 30)
    for number in range(500):
        buckets.take(f"holder {number}")
        assert buckets.take("busy") is not None
        assert len(buckets) <= 100
    assert len(buckets) == 100
    assert buckets.take("old") is None, "forgotten, so its bucket is full"


def test_threads_take_no_more_than_there_is() -> None:
    """Of many threads at once exactly the burst get one."""
    buckets = Buckets(burst=50, refill=MINUTE, most=10, monotonic=HandTicks())
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: buckets.take("a"), range(1_000)))
    assert found.count(None) == 50
