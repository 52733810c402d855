"""One unit of work on its way through the writer: waiting, then begun or withdrawn, whichever comes first.

So "the deadline passed" always means "nothing was done", and a unit once begun is waited for to its end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from authsvc.clock import Deadline, seconds_left
from authsvc.model import Commit
from authsvc.storage.sqlite.faults import too_late
from authsvc.storage.sqlite.transaction import Transaction

T = TypeVar("T")


class Unit(Generic[T]):
    """A caller's work and its outcome. ``commit`` is what the listener is to be told of."""

    __slots__ = ("_taken", "_told", "commit", "deadline", "error", "result", "work")

    def __init__(self, work: Callable[[Transaction], T], deadline: Deadline | None) -> None:
        self.work = work
        self.deadline = deadline
        self.commit: Commit | None = None
        self.result: T | None = None
        self.error: BaseException | None = None
        self._taken = threading.Lock()  # held by the one who decided: the writer (begun) or the caller (withdrawn)
        self._told = threading.Lock()  # free once the outcome is there
        self._told.acquire()

    def take(self) -> bool:
        """Decide what becomes of a waiting unit; True for exactly one of all that try."""
        return self._taken.acquire(blocking=False)

    def begin(self) -> bool:
        """Whether the writer is to do the work: not withdrawn, and in time."""
        if not self.take():
            return False
        if self.deadline is not None and seconds_left(self.deadline) <= 0:
            self.fail(too_late())
            return False
        return True

    def fail(self, error: BaseException) -> None:
        """End it with an error."""
        self.error = error
        self.tell()

    def tell(self) -> None:
        """Let the caller go on with what is in ``result`` or ``error``."""
        self._told.release()

    def outcome(self) -> T:
        """Wait for the end; raises what the work raised, or ``DeadlinePassed`` when it was withdrawn in time."""
        if not self._told.acquire(timeout=self._patience()):
            if self.take():
                raise too_late()
            self._told.acquire()
        if self.error is not None:
            raise self.error
        return cast(T, self.result)

    def _patience(self) -> float:
        if self.deadline is None:
            return -1  # as long as it takes
        return min(max(seconds_left(self.deadline), 0), threading.TIMEOUT_MAX)
