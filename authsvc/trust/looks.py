"""Looks at the store on demand: however many callers want one, one at a time is made and all of them share it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from authsvc.clock import Deadline, seconds_left
from authsvc.errors import AuthError, DeadlinePassed, Reason, Unavailable

Look = Callable[[Deadline | None], None]
"""Brings the view to the store's head; raises what the store raises."""


class Looks:
    """Numbers the looks. A caller needs one that was begun after it came; a look that is under way was not."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._changed = threading.Condition()
        self._begun = 0
        self._seen = 0
        self._failed = 0
        self._fault: Unavailable | None = None
        self._busy = False

    @property
    def begun(self) -> int:
        """The number of the latest look: who comes now needs a later one."""
        return self._begun

    def catch_up(self, after: int | None = None, *, deadline: Deadline | None = None) -> None:
        """Return once a look has succeeded that is later than ``after`` (None: than any that was begun).

        Raises ``Unavailable`` when it failed, and ``DeadlinePassed``.
        """
        with self._changed:
            wanted = (self._begun if after is None else after) + 1
            while self._seen < wanted:
                if self._failed >= wanted and self._fault is not None:
                    raise Unavailable(self._fault.reason, detail=self._fault.detail)
                if self._busy:
                    self._wait(deadline)
                else:
                    self._run(deadline)

    def _wait(self, deadline: Deadline | None) -> None:
        left = None if deadline is None else seconds_left(deadline)
        if left is not None and left <= 0:
            raise DeadlinePassed(Reason.DEADLINE_EXCEEDED)
        self._changed.wait(left)

    def _run(self, deadline: Deadline | None) -> None:
        """Make a look, without the lock. Who has no time left for it has failed alone: the others make their own."""
        self._busy, self._begun = True, self._begun + 1
        fault: BaseException | None = None
        self._changed.release()
        try:
            self._look(deadline)
        except BaseException as raised:
            fault = raised
            raise
        finally:
            self._changed.acquire()
            self._busy = False
            self._note(fault)
            self._changed.notify_all()

    def _note(self, fault: BaseException | None) -> None:
        if fault is None:
            self._seen = self._begun
        elif not isinstance(fault, DeadlinePassed):
            self._failed = self._begun
            detail = fault.detail if isinstance(fault, AuthError) else type(fault).__name__
            self._fault = Unavailable(Reason.STORE_UNAVAILABLE, detail=detail)
