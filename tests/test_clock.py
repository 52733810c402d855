"""Time as a value: exact to the microsecond, aware, and passed in."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.clock import (
    deadline_after,
    from_microseconds,
    in_stock,
    seconds_left,
    system_clock,
    system_randomness,
    to_microseconds,
    wait_for,
)
from tests.properties import QUICK


@QUICK
@given(st.datetimes(timezones=st.just(UTC)))
def test_no_microsecond_is_lost(moment: datetime) -> None:
    """Any moment comes back exactly, which a float of seconds does not do."""
    assert from_microseconds(to_microseconds(moment)) == moment


def test_a_float_would_lose_it() -> None:
    """The control: through a float of seconds the last microsecond of the year 9999 becomes another one."""
    moment = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert from_microseconds(to_microseconds(moment)) == moment
    assert int(moment.timestamp() * 1_000_000) != to_microseconds(moment)


@QUICK
@given(st.integers(-(10**15), 10**17))
def test_order_is_kept(microseconds: int) -> None:
    """Later moments have larger numbers, one for each microsecond."""
    assert to_microseconds(from_microseconds(microseconds)) == microseconds
    assert from_microseconds(microseconds + 1) - from_microseconds(microseconds) == timedelta(microseconds=1)


def test_the_zone_does_not_matter() -> None:
    """A moment has one number wherever it is told."""
    moment = datetime(2026, 11, 20, 12, 0, 0, 1, tzinfo=UTC)
    assert to_microseconds(moment.astimezone(timezone(timedelta(hours=-9)))) == to_microseconds(moment)
    assert from_microseconds(0) == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_naive_moment_is_refused() -> None:
    """A moment without a zone is no moment."""
    with pytest.raises(TypeError):
        to_microseconds(datetime(2026, 11, 20))  # noqa: DTZ001 - the mistake itself


def test_the_system_s_clock_is_aware() -> None:
    """The real clock tells UTC and does not stand still for a whole second at a time."""
    assert system_clock().tzinfo is UTC
    assert len({system_clock() for _ in range(10_000)}) > 1


@pytest.mark.parametrize("size", [0, 1, 12, 32])
def test_the_system_s_randomness(size: int) -> None:
    """The real source gives as many bytes as asked for, and no two draws of 32 are alike."""
    assert len(system_randomness(size)) == size
    assert len({system_randomness(32) for _ in range(100)}) == 100


def test_deadlines_are_told_in_seconds_left() -> None:
    """A deadline ahead has time left, at most what it was given; one behind has less than none."""
    assert 0 < seconds_left(deadline_after(60)) <= 60
    assert seconds_left(deadline_after(-1)) <= -1


def test_pieces_come_in_the_order_of_the_source_and_each_once() -> None:
    """Nothing of the source is left out or given twice, and it is asked once for many pieces."""
    asked, numbers = list[int](), itertools.count()

    def source(size: int) -> bytes:
        asked.append(size)
        return b"".join(next(numbers).to_bytes(4, "big") for _ in range(size // 4))

    pieces = in_stock(source, 4, count=8)
    assert [int.from_bytes(pieces(4), "big") for _ in range(20)] == list(range(20))
    assert asked == [32, 32, 32]


def test_no_two_threads_get_the_same_piece() -> None:
    """However they meet at the end of the stock."""
    pieces, got = in_stock(system_randomness, 16, count=3), list[bytes]()

    def take() -> None:
        got.extend([pieces(16) for _ in range(2_000)])

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == len(got) == 8_000


def test_another_size_is_refused() -> None:
    """A stock holds pieces of one size."""
    with pytest.raises(ValueError, match="12 bytes"):
        in_stock(system_randomness, 12)(16)


def test_waiting_ends_when_it_is_over() -> None:
    """It is asked again and again, each time for a part of the time, until it says so."""
    asked: list[float] = []

    def over(seconds: float) -> bool:
        asked.append(seconds)
        return len(asked) == 4

    wait_for(over)
    assert asked == [0.25] * 4


def test_waiting_ends_with_the_deadline() -> None:
    """What is never over is asked at least once, and never for longer than is left."""
    asked: list[float] = []
    ends = deadline_after(0.02)

    def over(seconds: float) -> bool:
        asked.append(seconds)
        return threading.Event().wait(seconds)

    wait_for(over, until=ends)
    assert asked[0] <= 0.02
    assert seconds_left(ends) <= 0
    wait_for(over, until=ends)
    assert asked[-1] == 0.0
