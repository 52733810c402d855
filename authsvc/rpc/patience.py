"""Waiting for callers, rationed and watched.

A thread that waits for a message that never comes is lost to everyone else. So: a wait that lasts counts as
*stalled*, a principal may have only so many stalled calls (those over the ration are ended), and no wait lasts longer
than five seconds. Bodies normally come with their headers, so honest calls are through before they could count, even
next to the stalled calls of whoever else uses their credential or an open method.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from authsvc.errors import Exhausted, Reason
from authsvc.rpc.call import Call
from authsvc.rpc.limits import Limits
from authsvc.rpc.tickets import Places, Ticket

_STALLED_AFTER = 0.1  # a burst of whole calls on a busy machine is through by then
_LOOK_EVERY = 0.025
_BEYOND_RATION = 8
_OPEN = ""
_ALL = "all"  # no name of an account: those have sixteen characters


@dataclass(frozen=True, slots=True, eq=False)
class _Wait:
    call: Call
    rationed: bool
    since: float
    seconds: float


class Patience:
    """One watching thread for all calls that wait."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waits: dict[int, _Wait] = {}
        self._stalled: Counter[str] = Counter()
        self._beyond_ration = Places()
        self._somebody = threading.Event()
        self._closed = False
        self._watcher = threading.Thread(target=self._watch, name="authsvc-patience", daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """End the watching thread."""
        self._closed = True
        self._somebody.set()
        self._watcher.join()

    def stalled(self, holder: str = _OPEN) -> int:
        """How many calls of a principal (of open methods: the empty name) were found waiting."""
        return self._stalled[holder]

    def stalled_in_all(self) -> int:
        """How many calls were found waiting, whoever they are of."""
        return self._stalled.total()

    @contextmanager
    def waiting(self, call: Call) -> Iterator[None]:
        """Watch while a message of the caller is awaited; raises RATE_LIMITED or OVERLOADED beyond the ration."""
        place = self._place(_holder(call))
        try:
            with self._watched(_Wait(call, True, time.monotonic(), self._limits.body_seconds)):
                yield
        finally:
            if place is not None:
                place.give_back()

    @contextmanager
    def sending(self, call: Call) -> Iterator[None]:
        """Watch while the caller takes an answer: it waits for as long as the caller's flow control says no."""
        with self._watched(_Wait(call, False, time.monotonic(), self._limits.send_seconds)):
            yield

    @contextmanager
    def _watched(self, wait: _Wait) -> Iterator[None]:
        self._waits[id(wait)] = wait
        if not self._somebody.is_set():
            self._somebody.set()
        try:
            yield
        finally:
            del self._waits[id(wait)]

    def _place(self, holder: str) -> Ticket | None:
        """None within the ration. Beyond it one of a few places for a moment, which is all that a call needs whose
        body is there: so callers are not shut out by who holds the ration."""
        if self._stalled[holder] >= self._ration(holder):
            scarce, reason = holder, Reason.RATE_LIMITED
        elif self._stalled.total() >= self._limits.stalled_all:
            scarce, reason = _ALL, Reason.OVERLOADED
        else:
            return None
        place = self._beyond_ration.take(scarce, _BEYOND_RATION)
        if place is None:
            raise Exhausted(reason, retry_after=timedelta(seconds=self._limits.body_seconds))
        return place

    def _ration(self, holder: str) -> int:
        return self._limits.stalled_open if holder == _OPEN else self._limits.stalled_principal

    def _watch(self) -> None:
        while not self._closed:
            self._somebody.wait()
            if not self._waits:
                # Cleared first and looked at again: a call that begins to wait in between is not overlooked.
                self._somebody.clear()
                if self._waits:
                    self._somebody.set()
            self._look(time.monotonic())
            time.sleep(_LOOK_EVERY)

    def _look(self, now: float) -> None:
        stalled: Counter[str] = Counter()
        # Oldest first: those that came last are over the ration.
        for wait in sorted(self._waits.copy().values(), key=lambda wait: wait.since):
            if now - wait.since >= wait.seconds or (wait.rationed and self._over(wait, now, stalled)):
                wait.call.context.cancel()
        self._stalled = stalled

    def _over(self, wait: _Wait, now: float, stalled: Counter[str]) -> bool:
        """Count a wait that lasts, unless it is over the ration."""
        if now - wait.since < _STALLED_AFTER:
            return False
        holder = _holder(wait.call)
        if stalled[holder] >= self._ration(holder) or stalled.total() >= self._limits.stalled_all:
            return True
        stalled[holder] += 1
        return False


def _holder(call: Call) -> str:
    return call.principal.account_id if call.principal is not None else _OPEN
