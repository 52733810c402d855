"""Time and randomness as values that are passed in, so that every rule about them can be tested without waiting.

Owns the two types, the real sources and the arithmetic on deadlines. Must not know who asks.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NewType

Clock = Callable[[], datetime]
"""Returns the present as an aware UTC datetime."""

Randomness = Callable[[int], bytes]
"""Returns that many bytes nobody can predict."""

Monotonic = Callable[[], int]
"""Returns nanoseconds of a clock that is never set."""

Deadline = NewType("Deadline", float)
"""A point on the monotonic clock, in seconds: the work must not be begun after it."""


def system_clock() -> datetime:
    """The machine's wall clock, in UTC."""
    return datetime.now(UTC)


def system_randomness(size: int) -> bytes:
    """Bytes from the operating system's generator."""
    return os.urandom(size)


def in_stock(randomness: Randomness, size: int, *, count: int = 256) -> Randomness:
    """The same for pieces of that size only, fetched many at a time: asking the operating system makes a thread let go
    of the interpreter, which costs more than the bytes. No piece is given twice, whatever the threads; not to be taken
    over a fork.
    """
    stock: deque[bytes] = deque()

    def piece(asked: int) -> bytes:
        if asked != size:
            raise ValueError(f"only pieces of {size} bytes are in stock")
        try:
            return stock.popleft()
        except IndexError:
            fetched = randomness(size * count)
        stock.extend(fetched[start : start + size] for start in range(size, len(fetched), size))
        return fetched[:size]

    return piece


def system_monotonic() -> int:
    """The machine's monotonic clock, in nanoseconds."""
    return time.monotonic_ns()


def deadline_after(seconds: float) -> Deadline:
    """The deadline that many seconds from now."""
    return Deadline(time.monotonic() + seconds)


def seconds_left(deadline: Deadline) -> float:
    """Seconds until the deadline; negative when it has passed."""
    return deadline - time.monotonic()


def wait_for(over: Callable[[float], bool], *, until: Deadline | None = None) -> None:
    """Wait until it is over or the deadline has passed; ``over`` waits for at most so many seconds and says so.

    In parts: a signal that the system hands to another thread than the main one is noticed only when that next runs.
    For the main thread.
    """
    while not over(_PART if until is None else max(0.0, min(_PART, seconds_left(until)))):
        if until is not None and seconds_left(until) <= 0:
            return


_PART = 0.25
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC, exactly: ``datetime.timestamp()`` is a float and loses the last digit."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The inverse of ``to_microseconds``."""
    return _EPOCH + microseconds * _MICROSECOND  # exact, and half the price of making a timedelta first
