"""Waiting for bodies, rationed and watched.

A thread that waits for a message that never comes is lost to everyone else. So: a wait that lasts counts as
*stalled*, a principal may have only so many stalled calls (further ones are refused, those over the ration are
ended), and no wait lasts longer than five seconds. Bodies normally come with their headers, so honest calls are
through before they could count.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from authsvc.errors import Exhausted, Reason
from authsvc.rpc.call import Call

BODY_SECONDS = 5.0
STALLED_PRINCIPAL = 32
STALLED_OPEN = 8
STALLED_ALL = 96

_STALLED_AFTER = 0.05
_LOOK_EVERY = 0.025
_OPEN = ""


class Patience:
    """One watching thread for all calls that wait."""

    def __init__(self, *, body_seconds: float = BODY_SECONDS) -> None:
        self._body_seconds = body_seconds
        self._waiting: dict[int, tuple[float, Call]] = {}
        self._stalled: Counter[str] = Counter()
        self._somebody = threading.Event()
        self._closed = False
        self._watcher = threading.Thread(target=self._watch, name="authsvc-body-watch", daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """End the watching thread."""
        self._closed = True
        self._somebody.set()
        self._watcher.join()

    @contextmanager
    def waiting(self, call: Call) -> Iterator[None]:
        """Watch while the caller waits for a message; raises RATE_LIMITED or OVERLOADED beyond the ration."""
        holder = _holder(call)
        if self._stalled[holder] >= _ration(holder):
            raise Exhausted(Reason.RATE_LIMITED, retry_after=timedelta(seconds=self._body_seconds))
        if self._stalled.total() >= STALLED_ALL:
            raise Exhausted(Reason.OVERLOADED, retry_after=timedelta(seconds=self._body_seconds))
        self._waiting[id(call)] = (time.monotonic(), call)
        if not self._somebody.is_set():
            self._somebody.set()
        try:
            yield
        finally:
            del self._waiting[id(call)]

    def _watch(self) -> None:
        while not self._closed:
            self._somebody.wait()
            if not self._waiting:
                # Cleared first and looked at again: a call that begins to wait in between is not overlooked.
                self._somebody.clear()
                if self._waiting:
                    self._somebody.set()
            self._look(time.monotonic())
            time.sleep(_LOOK_EVERY)

    def _look(self, now: float) -> None:
        stalled: Counter[str] = Counter()
        # Oldest first: those that came last are over the ration.
        for since, call in sorted(self._waiting.copy().values(), key=lambda entry: entry[0]):
            if now - since < _STALLED_AFTER:
                continue
            holder = _holder(call)
            over = stalled[holder] >= _ration(holder) or stalled.total() >= STALLED_ALL
            if over or now - since >= self._body_seconds:
                call.context.cancel()
            else:
                stalled[holder] += 1
        self._stalled = stalled


def _holder(call: Call) -> str:
    return call.principal.account_id if call.principal is not None else _OPEN


def _ration(holder: str) -> int:
    return STALLED_PRINCIPAL if holder else STALLED_OPEN
