"""Follows the store: one thread that looks when something may have changed, and in any case four times a second."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from authsvc.clock import Clock, Deadline, deadline_after
from authsvc.errors import AuthError, Reason
from authsvc.logs import Level, Logger
from authsvc.storage.base import Store
from authsvc.trust.feed import Feed, Learnt
from authsvc.trust.freshness import Began, Freshness
from authsvc.trust.looks import Looks
from authsvc.trust.view import TrustView

POLL_SECONDS: Final = 0.25
"""How long nothing is looked at when no hint comes; hints may be lost."""

LOOK_SECONDS: Final = 2.0
"""How long a look of the thread may take."""

BREATH_SECONDS: Final = 0.005
"""The least time between two looks of the thread: what many others write is read in few pages."""

_FIRST_PAUSE: Final = 0.01
_MILLISECOND: Final = timedelta(milliseconds=1)
_PRUNE_EVERY: Final = timedelta(hours=1)


class Follower:
    """Keeps a feed in step with its store, and knows how fresh it is. Stopped once, and then of no more use.

    ``forgets_by``: a clock that shows no time before it has come, however the machine's is set: what is over by it is
    forgotten, and does not come back when that one is put right.
    """

    def __init__(
        self, store: Store, feed: Feed, view: TrustView, freshness: Freshness, log: Logger, *, forgets_by: Clock
    ) -> None:
        self._store = store
        self._feed = feed
        self._view = view
        self._freshness = freshness
        self._log = log
        self._forgets_by = forgets_by
        self.looks = Looks(self._look)
        feed.subscribe(self._learnt)
        self._pruned = forgets_by()
        self._pruning: Iterator[None] = iter(())
        self._lost = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="authsvc-follower", daemon=True)

    def start(self) -> None:
        """Follow from now on; what is known becomes stale when the store cannot be read."""
        self._freshness.follow()
        self._thread.start()

    def stop(self) -> None:
        """End the thread, within a poll and a look."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> bool:
        """Look once, as the thread does; whether the store could be read. Says in the log when that changes."""
        try:
            self.looks.catch_up(deadline=deadline_after(LOOK_SECONDS))
        except AuthError as fault:
            self._found(False, fault.reason, fault.detail)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the thread must live on and the worker become stale
            self._found(False, Reason.INTERNAL, type(fault).__name__)
        else:
            self._found(True)
        self._prune()
        return not self._lost

    def _look(self, deadline: Deadline | None) -> None:
        began, before, age = self._freshness.begin(), self._view.revision, self._freshness.age
        self._feed.catch_up(deadline=deadline)
        self._freshness.looked(began)
        self._followed(self._view.revision - before, age, began)

    def _followed(self, count: int, age: timedelta, began: Began) -> None:
        """Say how far behind this process was: by how many commits of others, and since when it had not looked."""
        if self._log.writes(Level.DEBUG if count else Level.TRACE):
            write = self._log.debug if count else self._log.trace
            write(
                "commits of others followed" if count else "nothing to follow",
                count=count,
                revision=self._view.revision,
                behind_ms=age / _MILLISECOND,
                elapsed_ms=(self._freshness.begin().nanoseconds - began.nanoseconds) / 1_000_000,
            )

    def _learnt(self, learnt: Learnt) -> None:
        if learnt.reloaded:
            self._log.info("everything was read again: too much had changed", revision=learnt.reached)
        elif self._log.writes(Level.DEBUG):
            kinds = sorted({type(change).__name__ for change in learnt.changes})
            self._log.debug(
                "changes are known", count=len(learnt.changes), revision=learnt.reached, detail=" ".join(kinds)
            )

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            if self.look():
                pause = _FIRST_PAUSE
                self._stopping.wait(BREATH_SECONDS)
                if not (self._feed.behind or self._stopping.is_set()):
                    self._await_hint()
            else:
                self._stopping.wait(pause)
                pause = min(2 * pause, POLL_SECONDS)

    def _await_hint(self) -> None:
        try:
            self._store.await_hint(POLL_SECONDS)
        except Exception:  # noqa: BLE001 - a hint is a courtesy: without any the store is looked at all the same
            self._stopping.wait(POLL_SECONDS)

    def _found(self, readable: bool, reason: str = "", detail: str = "") -> None:
        if self._lost and readable:
            self._log.info("changes are read again", revision=self._view.revision)
        if readable is self._lost:  # it was the other way round
            self._lost = not readable
            if self._lost:
                self._log.error("changes cannot be read", reason=reason, detail=detail)

    def _prune(self) -> None:
        """Begin once an hour, and take one step at each look: among a million there are many, and what is new cannot
        wait for them."""
        now = self._forgets_by()
        if abs(now - self._pruned) >= _PRUNE_EVERY:
            self._pruned, self._pruning = now, self._view.pruning(now)
        next(self._pruning, None)
