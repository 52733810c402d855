"""Forgetting what no longer matters, a little at a time, beside everything else a process does."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from authsvc.clock import Clock
from authsvc.errors import AuthError, Reason
from authsvc.logs import Logger
from authsvc.storage.base import Store

EVERY_SECONDS: Final = 30.0
ROWS: Final = 200
"""Rows of one purge: a refresh that comes meanwhile waits for no more than that."""

BUDGET: Final = 20_000
"""Rows that one round removes at most; what is left is next."""

BREATH_SECONDS: Final = 0.05
"""Between two purges of a round: refreshes go first."""

KEEP_REVISIONS: Final = 100_000
"""Changes that stay in the feed for those who follow: minutes of the busiest store, and more than a restart takes."""


TABLES: Final = ("feed", "log_levels", "revoked_tokens", "sessions", "watermarks")
"""Where rows can go from."""


class Janitor:
    """Purges the store on a thread of its own; several processes may each have one."""

    def __init__(
        self, store: Store, log: Logger, *, clock: Clock, every: float = EVERY_SECONDS, breath: float = BREATH_SECONDS
    ) -> None:
        self._store = store
        self._log = log
        self._clock = clock
        self._every = every
        self._breath = breath
        self._removed = Counter(dict.fromkeys(TABLES, 0))
        self._oldest_due: datetime | None = None
        self._fails = False
        self._stopping = threading.Event()
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
        """Look again and again from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread once the purge that it is at is done."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def round(self) -> int:
        """Remove what can go, within the budget; returns how many rows. Says in the log when it fails, and does not
        raise."""
        removed = 0
        try:
            while removed < BUDGET and not self._stopping.is_set():
                purged = self._store.purge(limit=ROWS, keep_revisions=KEEP_REVISIONS)
                self._removed.update(purged.removed)
                self._oldest_due = purged.oldest_due
                removed += sum(purged.removed.values())
                if purged.complete:
                    break
                self._stopping.wait(self._breath)
        except AuthError as fault:
            self._failed(fault.reason, fault.detail)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the thread must live on and look again
            self._failed(Reason.INTERNAL, type(fault).__name__)
        else:
            self._fails = False
        if removed:
            self._log.debug("forgot what no longer matters", count=removed)
        return removed

    def _failed(self, reason: str, detail: str) -> None:
        if not self._fails:
            self._log.warn("what no longer matters is not forgotten for now", reason=reason, detail=detail)
        self._fails = True

    def _run(self) -> None:
        while not self._stopping.wait(self._every):
            self.round()
