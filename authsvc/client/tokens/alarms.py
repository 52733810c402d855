"""One thread that calls back when it is time, for any number of spans; it is there only while somebody waits."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import count

from authsvc.client.homes import tell_after_fork
from authsvc.clock import Monotonic, system_monotonic

_LONGEST_WAIT = 3600.0  # seconds; the system's own limit is an error


class AlarmThread:
    """Give one to several managers and they share its thread. A ring must not wait: it is heard by all in turn.

    A fork takes no thread along: in the child nothing is set, and what is set there rings there.
    """

    def __init__(self, monotonic: Monotonic = system_monotonic) -> None:
        self._monotonic = monotonic
        self._numbers = count()
        self.in_the_child()
        tell_after_fork(self)

    def in_the_child(self) -> None:
        """Forget all that is set, and who sees to it."""
        self._changed = threading.Condition()
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._running = False

    def __call__(self, span: timedelta, ring: Callable[[], None]) -> Callable[[], None]:
        """Call ``ring`` once, ``span`` from now; returns what calls that off."""
        with self._changed:
            number = next(self._numbers)
            due = self._monotonic() + int(span.total_seconds() * 1_000_000_000)
            heapq.heappush(self._waiting, (due, number, ring))
            if self._running:
                self._changed.notify()
            else:
                threading.Thread(target=self._run, name="authsvc-client-alarm", daemon=True).start()
                self._running = True
        return partial(self._call_off, number)

    def _call_off(self, number: int) -> None:
        with self._changed:
            self._waiting = [waiting for waiting in self._waiting if waiting[1] != number]
            heapq.heapify(self._waiting)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._running = False
                    return
                left = self._waiting[0][0] - self._monotonic()
                if left > 0:
                    self._changed.wait(min(left / 1_000_000_000, _LONGEST_WAIT))
                    continue
                _, _, ring = heapq.heappop(self._waiting)
            self._ring(ring)

    @staticmethod
    def _ring(ring: Callable[[], None]) -> None:
        try:
            ring()
        except Exception as fault:  # noqa: BLE001 - the others still want to hear theirs
            details = (type(fault), fault, fault.__traceback__, threading.current_thread())
            threading.excepthook(threading.ExceptHookArgs(details))
