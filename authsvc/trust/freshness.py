"""How old what a worker knows may be, and how old it is: one number that the follower writes and each call compares."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from authsvc.clock import Clock, Monotonic
from authsvc.errors import Reason, Unavailable

_NEVER: Final = 2**63
_SOON: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Began:
    """When a look at the store was begun, by both clocks."""

    at: datetime
    nanoseconds: int


class Freshness:
    """Counts from the beginning of the last look that succeeded, once somebody follows the store."""

    def __init__(self, bound: timedelta, *, clock: Clock, monotonic: Monotonic) -> None:
        self._bound = round(bound.total_seconds() * 1e9)
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._last = self.begin()
        self._until = _NEVER
        self._followed = False

    @property
    def as_of(self) -> datetime:
        """Everything that was committed before this moment is known."""
        return self._last.at

    @property
    def age(self) -> timedelta:
        """How long ago that was, whatever the clock was set to meanwhile."""
        return timedelta(microseconds=(self._monotonic() - self._last.nanoseconds) // 1_000)

    @property
    def stale(self) -> bool:
        """Whether the store could not be read for longer than allowed."""
        return self._monotonic() > self._until

    def check(self) -> None:
        """Raise ``Unavailable`` (STALE) when nothing may be answered from memory."""
        if self._monotonic() > self._until:
            raise stale()

    def begin(self) -> Began:
        """To be taken before the store is looked at."""
        return Began(self._clock(), self._monotonic())

    def looked(self, began: Began) -> None:
        """Note that a look that began then has succeeded."""
        with self._lock:
            if began.nanoseconds >= self._last.nanoseconds:
                self._last = began
            self._count()

    def follow(self) -> None:
        """Count from now on: somebody looks again and again."""
        with self._lock:
            self._followed = True
            self._count()

    def _count(self) -> None:
        if self._followed:
            self._until = self._last.nanoseconds + self._bound


def stale() -> Unavailable:
    """What is told while nothing may be answered from memory."""
    return Unavailable(Reason.STALE, retry_after=_SOON)
