"""Noticing that somebody committed: SQLite counts the commits of others, and a look at the count costs microseconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import apsw

from authsvc.storage.sqlite.connection import Slot, fetch
from authsvc.storage.sqlite.faults import ENGINE_FAULTS

LOOK_EVERY: Final = 0.02
"""Seconds between two looks."""


class Hints:
    """A connection that does nothing but look. It sees the commits of all other connections, this process's too."""

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._slot = Slot(connect)
        self._looking = threading.Lock()
        self._closed = threading.Event()
        self._seen: int | None = None

    def wait(self, seconds: float) -> None:
        """Return when there was a commit since the last look, after that time, or when the store is closed.

        Where the engine cannot be asked that is taken for a hint, after a moment.
        """
        until = time.monotonic() + seconds
        while not self._moved():
            left = until - time.monotonic()
            if left <= 0 or self._closed.wait(min(left, LOOK_EVERY)):
                return

    def close(self) -> None:
        """Let go of whoever waits."""
        self._closed.set()
        with self._looking:
            self._slot.discard()

    def _moved(self) -> bool:
        with self._looking:
            if self._closed.is_set():
                return True
            before = self._seen
            try:
                ((self._seen,),) = fetch(self._slot.connection(), "PRAGMA data_version")
            except ENGINE_FAULTS:
                self._slot.discard()
                self._seen = None
        if self._seen is None:
            self._closed.wait(LOOK_EVERY)
        return self._seen != before or self._seen is None
