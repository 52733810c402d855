"""What the log says of the store: what was changed and read and how long it took, and at any level what took too long.

For people who look for a fault: nothing is decided by it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Final, cast

from authsvc.errors import AuthError
from authsvc.logs import Level, Logger
from authsvc.storage.base import Store
from authsvc.storage.batches import BatchObserver

SLOW: Final = 1.0
"""Seconds from which on a use of the store, or the flush of a group, is told of without being asked for."""

AGAIN: Final = 10.0
"""Seconds for which nothing more is said about what is slow, or fails: then, how often it was."""

# Their lines are said one by one, at debug; what only looks, again and again, is left to those who want single steps.
CHANGES: Final = frozenset(
    {
        "add_secret",
        "clear_token",
        "clear_watermark",
        "create_account",
        "create_app",
        "edit_account",
        "edit_app",
        "edit_keys",
        "open_session",
        "purge",
        "raise_watermark",
        "remove_secret",
        "replace_secret",
        "revoke_session",
        "revoke_token",
        "set_levels",
        "turn_session",
        "turn_sessions",
    }
)
READS: Final = frozenset(
    {
        "changes_since",
        "list_audit",
        "list_revocations",
        "list_sessions",
        "ping",
        "secrets",
        "session_state",
        "session_states",
    }
)
WHOLE: Final = frozenset({"counts", "trust_state"})
"""What reads everything there is, and may take its time."""

Seconds = Callable[[], float]


def logged_store(store: Store, log: Logger, *, seconds: Seconds = time.perf_counter) -> Store:
    """``store``, each use of it told to ``log``: changes at debug, reading at trace, refusals at debug."""
    return cast(Store, _LoggedStore(store, log, seconds))


class _LoggedStore:
    """Passes everything on to a store."""

    def __init__(self, store: Store, log: Logger, seconds: Seconds) -> None:
        self._store = store
        self.epoch = store.epoch  # asked for with each refresh token, and the same as long as the store is open
        self._log = log
        self._seconds = seconds
        self._slow = _NowAndThen(log, "store was slow", seconds)
        for name in CHANGES | READS | WHOLE:
            setattr(self, name, self._told(name, getattr(store, name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def _told(self, name: str, use: Callable[..., Any]) -> Callable[..., Any]:
        message, level = ("store changed", Level.DEBUG) if name in CHANGES else ("store read", Level.TRACE)
        write = self._log.debug if name in CHANGES else self._log.trace
        bound = float("inf") if name in WHOLE else SLOW

        @wraps(use)
        def told(*arguments: Any, **named: Any) -> Any:
            began = self._seconds()
            try:
                result = use(*arguments, **named)
            except AuthError as fault:
                elapsed = _milliseconds(self._seconds() - began)
                self._log.debug(
                    "store refused", action=name, reason=fault.reason, detail=fault.detail, elapsed_ms=elapsed
                )
                raise
            elapsed = self._seconds() - began
            if elapsed >= bound:
                self._slow.happened(action=name, elapsed_ms=_milliseconds(elapsed))
            if self._log.writes(level):
                write(message, action=name, count=_count(arguments), elapsed_ms=_milliseconds(elapsed))
            return result

        return told


class StoreLines:
    """Tells the log how the writing goes: each group at debug, what is slow or fails at once."""

    def __init__(self, log: Logger, then: BatchObserver, *, seconds: Seconds = time.perf_counter) -> None:
        self._log = log
        self._then = then
        self._slow = _NowAndThen(log, "a commit was slow", seconds)
        self._failed = _NowAndThen(log, "changes could not be made durable", seconds)

    def committed(self, changes: int, seconds: float) -> None:
        """A group is on the disk."""
        self._then.committed(changes, seconds)
        if seconds >= SLOW:
            self._slow.happened(elapsed_ms=_milliseconds(seconds))
        self._log.debug("changes committed", count=changes, elapsed_ms=_milliseconds(seconds))

    def failed(self) -> None:
        """Nothing of a group was kept."""
        self._then.failed()
        self._failed.happened()

    def undone(self, attempt: int, sql_state: str) -> None:
        """A rival undid a change, which is begun again."""
        self._log.debug("a rival undid a change: it is begun again", count=attempt, sql_state=sql_state)


class _NowAndThen:
    """A warning that may come by the thousand is written once a while, with how often it was since the last time."""

    def __init__(self, log: Logger, message: str, seconds: Seconds) -> None:
        self._log = log
        self._message = message
        self._seconds = seconds
        self._lock = threading.Lock()
        self._next = float("-inf")
        self._count = 0

    def happened(self, **fields: object) -> None:
        """Once more; may be said by many threads at once."""
        with self._lock:
            self._count += 1
            now = self._seconds()
            if now < self._next:
                return
            self._next, count, self._count = now + AGAIN, self._count, 0
        self._log.warn(self._message, count=count, **fields)


def _count(arguments: tuple[Any, ...]) -> int:
    """How many things a use is about: those of a list, else one. Records are tuples too, of types of their own."""
    several = bool(arguments) and type(arguments[0]) in (list, tuple)
    return len(arguments[0]) if several else 1


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
