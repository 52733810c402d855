"""Counted places: who got in holds a ticket, and a ticket that is lost comes back by itself."""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import Protocol


class Ticket(Protocol):
    """The right to be inside."""

    def give_back(self) -> None:
        """Make the place free; doing it twice is harmless."""


class Places:
    """At most ``limit`` places for each holder; a holder is any name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()
        self._freed: deque[str] = deque()

    def taken(self, holder: str) -> int:
        """How many places the holder has taken."""
        with self._lock:
            self._settle()
            return self._taken[holder]

    def take(self, holder: str, limit: int) -> Ticket | None:
        """A ticket, or None when the holder has ``limit`` of them."""
        with self._lock:
            self._settle()
            if self._taken[holder] >= limit:
                return None
            self._taken[holder] += 1
        return _Ticket(self, holder)

    def free(self, holder: str) -> None:
        """One place of the holder is free again, from the next look on.

        Takes no lock: the garbage collector may call this at any moment, also in the middle of ``take``.
        """
        self._freed.append(holder)

    def _settle(self) -> None:
        """Count the places that are free again; a holder without places is forgotten."""
        while self._freed:
            holder = self._freed.popleft()
            self._taken[holder] -= 1
            if self._taken[holder] <= 0:
                del self._taken[holder]


class _Ticket:
    __slots__ = ("_holder", "_places")

    def __init__(self, places: Places, holder: str) -> None:
        self._places: Places | None = places
        self._holder = holder

    def give_back(self) -> None:
        places, self._places = self._places, None
        if places is not None:
            places.free(self._holder)

    def __del__(self) -> None:
        # The library may drop a call between its admission and its thread (concurrency limit, shutdown):
        # without this its place would be lost for good.
        self.give_back()
