"""Counted places: who got in holds a ticket, and a ticket that is lost comes back by itself."""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol


class Ticket(Protocol):
    """The right to be inside."""

    def give_back(self) -> None:
        """Make the place free; doing it twice is harmless."""


class Places:
    """At most ``limit`` places for each holder; a holder is any name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: dict[str, int] = {}
        self._freed: deque[tuple[str, int]] = deque()

    def taken(self, holder: str) -> int:
        """How many places the holder has taken."""
        with self._lock:
            self._settle()
            return self._taken.get(holder, 0)

    def take(self, holder: str, limit: int, places: int = 1) -> Ticket | None:
        """A ticket for that many places, or None when the holder would then have more than ``limit``."""
        with self._lock:
            if self._freed:
                self._settle()
            taken = self._taken.get(holder, 0) + places
            if taken > limit:
                return None
            self._taken[holder] = taken
        return _Ticket(self, holder, places)

    def free(self, holder: str, places: int) -> None:
        """That many places of the holder are free again, from the next look on.

        Takes no lock: the garbage collector may call this at any moment, also in the middle of ``take``.
        """
        self._freed.append((holder, places))

    def _settle(self) -> None:
        """Count the places that are free again; a holder without places is forgotten."""
        while self._freed:
            holder, places = self._freed.popleft()
            left = self._taken[holder] - places
            if left > 0:
                self._taken[holder] = left
            else:
                del self._taken[holder]


class _Ticket:
    __slots__ = ("_holder", "_number", "_places")

    def __init__(self, places: Places, holder: str, number: int) -> None:
        self._places: Places | None = places
        self._holder = holder
        self._number = number

    def give_back(self) -> None:
        places, self._places = self._places, None
        if places is not None:
            places.free(self._holder, self._number)

    def __del__(self) -> None:
        # The library may drop a call between its admission and its thread (concurrency limit, shutdown):
        # without this its place would be lost for good.
        self.give_back()
