"""What a caller may ask for beyond memory: everything up to now, or everything up to a revision."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from authsvc.clock import Deadline, deadline_after, seconds_left
from authsvc.errors import AuthError, DeadlinePassed, Exhausted, Reason, Unavailable
from authsvc.trust.feed import Feed
from authsvc.trust.freshness import Freshness, stale
from authsvc.trust.looks import Looks
from authsvc.trust.view import TrustView

LONGEST_WAIT: Final = 1.0
"""Seconds that a call waits for a revision."""

PLACES: Final = 64
"""How many calls may wait for the store's news at once: they hold threads of the pool."""

_AGAIN: Final = 0.05
_MOMENT: Final = 0.05
_SOON: Final = timedelta(milliseconds=250)


class CatchingUp:
    """Holds a thread only while a look lasts, and of few callers at once."""

    def __init__(self, view: TrustView, feed: Feed, looks: Looks, freshness: Freshness) -> None:
        self._view = view
        self._feed = feed
        self._looks = looks
        self._freshness = freshness
        self._places = threading.BoundedSemaphore(PLACES)

    def arrival(self) -> int:
        """To be taken when a call comes that may want news later: see ``to_now``."""
        return self._looks.begun

    def check(self) -> None:
        """Raise ``Unavailable`` (STALE) when nothing may be answered from memory."""
        self._freshness.check()

    @property
    def stale(self) -> bool:
        """Whether ``check`` would raise."""
        return self._freshness.stale

    @property
    def behind(self) -> bool:
        """Whether ``to_own`` would look."""
        return self._feed.behind

    def to_own(self) -> None:
        """Let what this worker itself has committed count as reached, where others' commits lie before it.

        So who revokes and then issues at one worker gets a token that lives. Waits a moment, and raises nothing: a
        token that is older than its maker's last revocation is one that is refused, no more.
        """
        if self._feed.behind:
            with contextlib.suppress(AuthError), self._place():
                self._looks.catch_up(deadline=deadline_after(_MOMENT))

    def to_now(self, arrival: int | None = None, *, deadline: Deadline | None = None) -> None:
        """Return once everything is known that was committed before ``arrival`` (None: before this call).

        Raises ``Unavailable`` (STORE_UNAVAILABLE), ``DeadlinePassed``, and ``Exhausted`` when too many wait.
        """
        with self._place():
            self._looks.catch_up(arrival, deadline=deadline)

    def to_revision(self, revision: int, *, deadline: Deadline | None = None) -> None:
        """Return once that revision is in the view; waits at most a second, and not beyond the deadline.

        Whoever knows a number knows it from a finished change: one good look finds it, or there is none. Raises
        ``Unavailable`` (STALE), and ``Exhausted`` when too many wait.
        """
        if self._view.revision >= revision:
            return
        with self._place():
            self._look_until(revision, _within(deadline))

    def _look_until(self, revision: int, ends: Deadline) -> None:
        pause = threading.Event()
        while seconds_left(ends) > 0:
            try:
                self._looks.catch_up(deadline=ends)
            except (Unavailable, DeadlinePassed):
                pause.wait(min(_AGAIN, max(0.0, seconds_left(ends))))
                continue
            if self._view.revision >= revision:
                return
            break
        raise stale()

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise Exhausted(Reason.OVERLOADED, retry_after=_SOON)
        try:
            yield
        finally:
            self._places.release()


def _within(deadline: Deadline | None) -> Deadline:
    latest = deadline_after(LONGEST_WAIT)
    return latest if deadline is None else Deadline(min(latest, deadline))
