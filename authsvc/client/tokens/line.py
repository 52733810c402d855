"""Threads that wait for the same thing, and go on in the order in which they came."""

from __future__ import annotations

from itertools import zip_longest
from threading import Event
from typing import Generic, TypeVar

Outcome = TypeVar("Outcome")


class Place(Generic[Outcome]):
    """One thread's place in a line: it waits for the outcome, and once it has gone on, lets the next one go."""

    def __init__(self) -> None:
        self._turn = Event()
        self._outcome: Outcome | None = None
        self._next: Place[Outcome] | None = None
        self._left = False

    def wait(self, seconds: float) -> Outcome | None:
        """The outcome, when it is this place's turn; None: it did not come in time. Call ``leave`` afterwards."""
        return self._outcome if self._turn.wait(seconds) else None

    def leave(self) -> None:
        """Go: the next in the line may, as soon as there is an outcome."""
        self._left = True
        if self._turn.is_set() and self._next is not None:
            self._next.call()

    def call(self) -> None:
        """It is this place's turn, or that of the first after it who has not left."""
        place: Place[Outcome] | None = self
        while place is not None:
            place._turn.set()
            if not place._left:
                return
            place = place._next

    def settle(self, outcome: Outcome, follower: Place[Outcome] | None) -> None:
        """Say what there is to hear, and who is next."""
        self._outcome, self._next = outcome, follower


class Line(Generic[Outcome]):
    """The places of those who wait now. Joined and released under the lock of whoever owns it."""

    def __init__(self) -> None:
        self._places: list[Place[Outcome]] = []

    def __len__(self) -> int:
        return len(self._places)

    def join(self) -> Place[Outcome]:
        """A place at the end."""
        place = Place[Outcome]()
        self._places.append(place)
        return place

    def drop(self, place: Place[Outcome]) -> None:
        """Forget who no longer waits."""
        if place in self._places:
            self._places.remove(place)

    def release(self, outcome: Outcome) -> Place[Outcome] | None:
        """Give all who wait now their outcome; ``call`` the place that is returned and they go on, one by one."""
        places, self._places = self._places, []
        for place, follower in zip_longest(places, places[1:]):
            place.settle(outcome, follower)
        return places[0] if places else None
