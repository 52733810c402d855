"""A second look before a worker says that it does not know something: another one may just have made it.

It costs the store little, whoever asks for what: one look at a time, at most four a second, and none for a name that
was just looked for in vain. In between the answer comes from memory, at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Final

from authsvc.clock import Deadline, Monotonic, deadline_after, seconds_left
from authsvc.errors import AuthError

INTERVAL: Final = 250_000_000
"""Nanoseconds from the beginning of one look to the next."""

IN_VAIN: Final = 1_000_000_000
"""Nanoseconds for which a name is not looked for again."""

PATIENCE: Final = 1.0
"""Seconds that a look may take."""

COMPANIONS: Final = 16
"""How many calls may wait for the look that another one makes."""


class _Flight:
    """One look and those who wait for it."""

    __slots__ = ("companions", "landed")

    def __init__(self) -> None:
        self.landed = threading.Event()
        self.companions = 0


class SecondLook:
    """``catch_up`` brings the view to the store's head by that deadline."""

    def __init__(self, catch_up: Callable[[Deadline], None], *, monotonic: Monotonic) -> None:
        self._catch_up = catch_up
        self._monotonic = monotonic
        self._turn = threading.Lock()
        self._flight: _Flight | None = None
        self._next = 0
        self._in_vain: dict[Hashable, int] = {}

    def __call__(self, name: Hashable, deadline: Deadline | None = None) -> bool:
        """Whether the store was looked at since the call began; False: what memory says is the answer."""
        with self._turn:
            flight, joined = self._flight, self._flight is not None
            if flight is None and self._may_begin(name):
                flight = self._begin(name)
            elif flight is None or flight.companions >= COMPANIONS:
                return False
            flight.companions += joined
        if joined:
            return flight.landed.wait(_seconds(deadline))
        return self._fly(flight, deadline)

    def would(self, name: Hashable) -> bool:
        """Whether a call with that name would look, or wait for a look; never waits itself."""
        with self._turn:
            if self._flight is not None:
                return self._flight.companions < COMPANIONS
            return self._may_begin(name)

    def _may_begin(self, name: Hashable) -> bool:
        now = self._monotonic()
        return now >= self._next and self._in_vain.get(name, 0) <= now

    def _begin(self, name: Hashable) -> _Flight:
        now = self._monotonic()
        self._next = now + INTERVAL
        self._in_vain = {known: until for known, until in self._in_vain.items() if until > now}
        self._in_vain[name] = now + IN_VAIN
        self._flight = _Flight()
        return self._flight

    def _fly(self, flight: _Flight, deadline: Deadline | None) -> bool:
        try:
            self._catch_up(deadline_after(_seconds(deadline)))
        except AuthError:
            return False  # what is in memory is still fresh enough to answer from, or nobody would have asked
        finally:
            with self._turn:
                self._flight = None
            flight.landed.set()
        return True


def _seconds(deadline: Deadline | None) -> float:
    return PATIENCE if deadline is None else max(0.0, min(PATIENCE, seconds_left(deadline)))
