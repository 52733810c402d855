"""Forgetting within a budget: table by table, in transactions that are too short to be waited for.

Whoever purges reads first what is due, and where nothing is writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from authsvc.clock import from_microseconds
from authsvc.storage.base import Purged
from authsvc.storage.rows.retention import LEEWAY

MOST_ROWS: Final = 100
"""Rows that one transaction looks at: a few milliseconds for whoever waits behind it."""

TABLES: Final = ("sessions", "revoked_tokens", "watermarks", "log_levels", "feed")
"""What is purged, in this order."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one transaction did: rows it looked at, and how many of them it removed; the others it put off."""

    looked: int
    removed: int


Due = Mapping[str, int | None]
"""By table, since when (microseconds) its oldest row has been due, None where none is; of the feed any number."""

Step = Callable[[str, int], Round]
"""One transaction on a table that looks at no more than that many rows."""


def purge(read_due: Callable[[], Due], step: Step, limit: int) -> Purged:
    """Take one step after another until nothing is due or ``limit`` rows were looked at."""
    due = read_due()
    removed = dict.fromkeys(TABLES, 0)
    left = limit
    for table in TABLES:
        more = due[table] is not None
        while more and left > 0:
            size = min(left, MOST_ROWS)
            done = step(table, size)
            removed[table] += done.removed
            left -= done.looked
            more = done.looked == size
    if left < limit:
        due = read_due()
    return Purged(removed, complete=all(since is None for since in due.values()), oldest_due=_oldest(due))


def _oldest(due: Due) -> datetime | None:
    """Since when the oldest row could have gone; the feed's rows have no moment."""
    moments = [since for table, since in due.items() if since is not None and table != "feed"]
    return from_microseconds(min(moments) + LEEWAY) if moments else None
