"""The lines to the service: which one a call takes, and when one that was given up is closed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from authsvc.client.lines import Lines


class Renewals:
    """Says once that it is time for another line, whenever it is told to."""

    due = False

    def __call__(self) -> bool:
        due, self.due = self.due, False
        return due


@pytest.fixture
def renewals() -> Renewals:
    """Nothing was renewed yet."""
    return Renewals()


@pytest.fixture
def lines(renewals: Renewals) -> Lines[int]:
    """Lines whose channels are numbers: 1, 2, 3…"""
    numbers: Iterator[int] = count(1)
    return Lines(lambda: next(numbers), renewals)


def channel_of(lines: Lines[int]) -> int:
    """The channel of a call that begins and ends now."""
    lease = lines.take()
    assert lease.line is not None
    channel = lease.line.channel
    lease.end()
    return channel


def test_one_line_is_used_until_it_is_renewed(lines: Lines[int], renewals: Renewals) -> None:
    """All calls share a line; after a renewal all share the next."""
    assert [channel_of(lines) for _ in range(3)] == [1, 1, 1]
    renewals.due = True
    assert [channel_of(lines) for _ in range(3)] == [2, 2, 2]


def test_a_line_given_up_is_closed_after_its_last_call(lines: Lines[int], renewals: Renewals) -> None:
    """Not while one of its calls goes on, once when it has ended, and never the line that is used."""
    old = [lines.take(), lines.take()]
    renewals.due = True
    new = lines.take()
    assert list(lines.unused()) == []
    old[0].end()
    assert list(lines.unused()) == []
    old[1].end()
    assert list(lines.unused()) == [1]
    new.end()
    assert list(lines.unused()) == []


def test_an_idle_line_is_closed_at_once(lines: Lines[int], renewals: Renewals) -> None:
    """Where nothing goes on, the old line is closed by the first call on the new one."""
    channel_of(lines)
    renewals.due = True
    channel_of(lines)
    assert list(lines.unused()) == [1]


def test_an_end_that_is_told_twice_is_one(lines: Lines[int], renewals: Renewals) -> None:
    """A stream that is cancelled while it ends does not take another call's line away."""
    ended, going_on = lines.take(), lines.take()
    ended.end()
    ended.end()
    renewals.due = True
    lines.take()
    assert list(lines.unused()) == []
    going_on.end()
    assert list(lines.unused()) == [1]


def test_closing_gives_everything_up(lines: Lines[int], renewals: Renewals) -> None:
    """All channels come out once, those with calls as well; then no line is taken, and ends are still taken."""
    calls = [lines.take()]
    renewals.due = True
    calls.append(lines.take())
    assert list(lines.close()) == [1, 2]
    assert list(lines.close()) == []
    with pytest.raises(ValueError, match="closed"):
        lines.take()
    for call in calls:
        call.end()
    assert list(lines.unused()) == []


def test_a_failed_renewal_leaves_the_line(renewals: Renewals) -> None:
    """Where no other channel can be opened the caller is told, and the line of before is still there."""
    channels = iter([1])
    lines = Lines(lambda: next(channels), renewals)
    assert channel_of(lines) == 1
    renewals.due = True
    with pytest.raises(StopIteration):
        lines.take()
    assert channel_of(lines) == 1
    assert list(lines.unused()) == []


def test_threads_share_lines(lines: Lines[int], renewals: Renewals) -> None:
    """Renewals under many threads: each channel but the last is closed, once, and none is lost."""

    def call(number: int) -> list[int]:
        if number % 50 == 0:
            renewals.due = True
        channel_of(lines)
        return list(lines.unused())

    with ThreadPoolExecutor(8) as pool:
        closed = [channel for channels in pool.map(call, range(2_000)) for channel in channels]
    last = channel_of(lines)
    closed += lines.unused()
    assert sorted(closed) == list(range(1, last))
    assert last > 2
