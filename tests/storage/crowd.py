"""Many callers at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def all_at_once(calls: Sequence[Callable[[], T]]) -> list[T | BaseException]:
    """Run every call in a thread of its own, all let go together; results or errors in the calls' order."""
    outcomes: list[T | BaseException] = [RuntimeError("it never ended") for _ in calls]
    gate = threading.Barrier(len(calls))

    def run(place: int, call: Callable[[], T]) -> None:
        gate.wait()
        try:
            outcomes[place] = call()
        except BaseException as error:  # noqa: BLE001 - the test judges it
            outcomes[place] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


class Held:
    """Stops whoever calls it until ``release()``, then gives back what it was given.

    As an edit callback it holds a change at a known point, and on SQLite the one writer with it.
    """

    def __init__(self) -> None:
        self._reached = threading.Semaphore(0)
        self._released = threading.Event()

    def __call__(self, value: T) -> T:
        self._reached.release()
        assert self._released.wait(30)
        return value

    def wait_until_reached(self, callers: int = 1) -> None:
        """Return once that many more are held."""
        for _ in range(callers):
            assert self._reached.acquire(timeout=30)

    def release(self) -> None:
        """Let go of whoever is held, and of all who come later."""
        self._released.set()


class Background:
    """A call in a thread of its own, whose outcome is asked for later."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._outcome: object = None
        self._call = call
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def over(self) -> bool:
        """Whether it has returned or raised."""
        return not self._thread.is_alive()

    def outcome(self) -> object:
        """What it returned or raised, once it has."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self._outcome

    def _run(self) -> None:
        try:
            self._outcome = self._call()
        except BaseException as error:  # noqa: BLE001 - the test judges it
            self._outcome = error
