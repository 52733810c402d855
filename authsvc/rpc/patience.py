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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

Cancel = Callable[[], object]


class Wait:
    """One wait for a caller. ``cancel`` ends its call; ``place`` is what it was let in with beyond the ration."""

    __slots__ = ("cancel", "holder", "place", "rationed", "seconds", "since")

    def __init__(self, cancel: Cancel, holder: str, seconds: float, *, rationed: bool) -> None:
        self.cancel = cancel
        self.holder = holder
        self.since = time.monotonic()
        self.seconds = seconds
        self.rationed = rationed
        self.place: Ticket | None = None


class Patience:
    """One watching thread for all calls that wait."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waits: dict[int, Wait] = {}
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

    def expect(self, call: Call, cancel: Cancel) -> Wait:
        """Watch while a message of the caller is awaited; raises RATE_LIMITED or OVERLOADED beyond the ration.

        To be ended by ``arrived``. Takes a call that has no thread yet, hence ``cancel``.
        """
        wait = Wait(cancel, _holder(call), self._limits.body_seconds, rationed=True)
        wait.place = self._place(wait.holder)
        self._begin(wait)
        return wait

    def arrived(self, wait: Wait) -> None:
        """The message is there, or it is known that it never will be."""
        del self._waits[id(wait)]
        if wait.place is not None:
            wait.place.give_back()

    @contextmanager
    def waiting(self, call: Call) -> Iterator[None]:
        """``expect`` and ``arrived`` round what waits on a thread."""
        wait = self.expect(call, call.context.cancel)
        try:
            yield
        finally:
            self.arrived(wait)

    @contextmanager
    def sending(self, call: Call) -> Iterator[None]:
        """Watch while the caller takes an answer: it waits for as long as the caller's flow control says no."""
        wait = Wait(call.context.cancel, _holder(call), self._limits.send_seconds, rationed=False)
        self._begin(wait)
        try:
            yield
        finally:
            self.arrived(wait)

    def _begin(self, wait: Wait) -> None:
        self._waits[id(wait)] = wait
        if not self._somebody.is_set():
            self._somebody.set()

    def _place(self, holder: str) -> Ticket | None:
        """None within the ration. Beyond it one of a few places for a moment, which is all that a call needs whose
        body is there: so callers are not shut out by who holds the ration."""
        if not self._stalled:
            return None
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
                wait.cancel()
        self._stalled = stalled

    def _over(self, wait: Wait, now: float, stalled: Counter[str]) -> bool:
        """Count a wait that lasts, unless it is over the ration."""
        if now - wait.since < _STALLED_AFTER:
            return False
        if stalled[wait.holder] >= self._ration(wait.holder) or stalled.total() >= self._limits.stalled_all:
            return True
        stalled[wait.holder] += 1
        return False


def _holder(call: Call) -> str:
    return call.principal.account_id if call.principal is not None else _OPEN
