"""Forgetting what no longer matters, a little at a time, beside everything else a process does."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from authsvc.clock import Clock, Monotonic, system_monotonic
from authsvc.errors import AuthError, Reason
from authsvc.logs import Logger
from authsvc.storage.base import Store

EVERY_SECONDS: Final = 30.0
"""Between two rounds, where the first has left nothing."""

ROWS: Final = 200
"""Rows of one purge: a refresh that comes meanwhile waits for no more than that."""

BUDGET: Final = 20_000
"""Rows that one round removes at most; where something is left the next one follows after a breath."""

BREATH_SECONDS: Final = 0.01
"""Between two purges at least: refreshes go first."""

LATE: Final = timedelta(minutes=5)
"""Being behind by so much is said in the log, and more is done about it."""

LEFT_TO_OTHERS: Final = 3.0
"""Times as long as a purge took, before the next one: a quarter of the time is taken at most, however much is due.
Where calls are many a purge takes longer, and so do the pauses."""

LEFT_WHEN_LATE: Final = 1.0
"""The same, being late: half of the time. A store that is filled faster than this empties it would grow for ever."""

TOLD_EVERY: Final = 60_000_000_000
"""How often at most, in nanoseconds."""

KEEP_REVISIONS: Final = 100_000
"""Changes that stay in the feed for those who follow: minutes of the busiest store, and more than a restart takes."""


TABLES: Final = ("feed", "log_levels", "revoked_tokens", "sessions", "watermarks")
"""Where rows can go from."""


class Janitor:
    """Purges the store on a thread of its own; several processes may each have one.

    It looks when it is started and then every ``every`` seconds; while more is due it goes on. ``stopping`` is what it
    waits on meanwhile.
    """

    def __init__(
        self,
        store: Store,
        log: Logger,
        *,
        clock: Clock,
        monotonic: Monotonic = system_monotonic,
        every: float = EVERY_SECONDS,
        breath: float = BREATH_SECONDS,
        keep_revisions: int = KEEP_REVISIONS,
        stopping: threading.Event | None = None,
    ) -> None:
        self._store = store
        self._log = log
        self._clock = clock
        self._monotonic = monotonic
        self._every = every
        self._breath = breath
        self._keep_revisions = keep_revisions
        self._removed = Counter(dict.fromkeys(TABLES, 0))
        self._oldest_due: datetime | None = None
        self._behind = False
        self._pause = 0.0
        self._told_at: int | None = None
        self._fails = False
        self._stopping = stopping or threading.Event()
        self._thread = threading.Thread(target=self._run, name="authsvc-janitor", daemon=True)

    @property
    def removed(self) -> Mapping[str, int]:
        """How many rows this process has removed, by table."""
        return self._removed

    @property
    def lag(self) -> timedelta:
        """For how long the oldest thing that could go has been there, as of the last round."""
        return timedelta(0) if self._oldest_due is None else max(timedelta(0), self._clock() - self._oldest_due)

    def start(self) -> None:
        """Look now, and again and again from then on."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread once the purge that it is at is done."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def round(self, *, budget: int = BUDGET) -> int:
        """Remove what can go, within the budget; returns how many rows. Says in the log when it fails, and does not
        raise."""
        removed = 0
        try:
            removed += self._purge()
            while self._behind and removed < budget and not self._stopping.wait(self._pause):
                removed += self._purge()
        except AuthError as fault:
            self._failed(fault.reason, fault.detail)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the thread must live on and look again
            self._failed(Reason.INTERNAL, type(fault).__name__)
        else:
            self._fails = False
            self._tell()
        if removed:
            self._log.debug("forgot what no longer matters", count=removed)
        return removed

    def _purge(self) -> int:
        began = self._monotonic()
        purged = self._store.purge(limit=ROWS, keep_revisions=self._keep_revisions)
        took = (self._monotonic() - began) / 1e9
        self._removed.update(purged.removed)
        self._oldest_due, self._behind = purged.oldest_due, not purged.complete
        left = LEFT_WHEN_LATE if self.lag >= LATE else LEFT_TO_OTHERS
        self._pause = max(self._breath, left * took) if self._behind else self._every
        return sum(purged.removed.values())

    def _tell(self) -> None:
        """Say how far behind this is while it is much, and once that it is no more."""
        now, lag = self._monotonic(), self.lag
        if not self._behind and self._told_at is not None:
            self._told_at = None
            self._log.info("forgetting has caught up")
        elif self._behind and lag >= LATE and (self._told_at is None or now - self._told_at >= TOLD_EVERY):
            self._told_at = now
            self._log.info("forgetting is behind", detail=f"the oldest has waited for {lag}")

    def _failed(self, reason: str, detail: str) -> None:
        if not self._fails:
            self._log.warn("what no longer matters is not forgotten for now", reason=reason, detail=detail)
        self._fails = True
        self._pause = self._every

    def _run(self) -> None:
        while not self._stopping.wait(self._pause):
            self.round()
