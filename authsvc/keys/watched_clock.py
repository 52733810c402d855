"""A wall clock that is watched by the monotonic one: what time alone decides waits while it was set lately."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from authsvc.clock import Clock, Monotonic
from authsvc.signing.lifecycle import DRIFT, Present

MISTRUST = timedelta(minutes=10)
"""How long a clock that was set is not relied on: somebody, or NTP, may still put it right."""


class WatchedClock:
    """Safe to use from many threads; nothing is watched between two looks."""

    def __init__(self, clock: Clock, monotonic: Monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._shown, self._passed = clock(), _span(monotonic())
        self._earliest = self._latest = self._shown
        self._trusted_from = self._passed

    def present(self) -> Present:
        """The time now, and its bounds."""
        with self._lock:
            self._look()
            return Present(self._shown, self._earliest, self._latest)

    def earliest(self) -> datetime:
        """The time that has come for certain, as far as this process can tell: what is over by it may be forgotten."""
        return self.present().earliest

    def steady(self) -> bool:
        """Whether the clock has not been set for a while."""
        with self._lock:
            self._look()
            return self._passed >= self._trusted_from

    def _look(self) -> None:
        shown, passed = self._clock(), _span(self._monotonic())
        went_by = passed - self._passed
        if abs(shown - (self._shown + went_by)) > DRIFT:
            self._trusted_from = passed + MISTRUST
        self._earliest = min(shown, self._earliest + went_by)
        self._latest = max(shown, self._latest + went_by)
        self._shown, self._passed = shown, passed


def _span(nanoseconds: int) -> timedelta:
    return timedelta(microseconds=nanoseconds / 1_000)
