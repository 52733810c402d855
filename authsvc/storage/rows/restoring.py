"""What a copy that becomes the store begins with: an epoch and a revision past any that was ever given out.

A revision is never ahead of the clock in microseconds: after a restore it begins at the present, before the first far
below, and it grows by one with each change, of which no store makes one in each microsecond. So the present is past all
that were given out, whichever copy is restored, and however often the same. Where a clock was wrong, and what is known
here is ahead of it, a leap past what is known takes its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from authsvc.model import ApiKey, AuditEvent, Revision
from authsvc.storage.base import TrustState
from authsvc.storage.errors import StoreUnfit

LEAP: Final = 2**44
"""Changes that were made since a copy and are not known here: at 10,000 a second they take 55 years."""

LAST_EPOCH: Final = 2**16 - 1

Check = Callable[[TrustState], None]
"""Raises where what the copy holds cannot be used, before anything is changed."""

Progress = Callable[[str], object]
"""Told what is done next."""


@dataclass(frozen=True, slots=True)
class Known:
    """The largest epoch and revision that are known of a store."""

    epoch: int = 0
    revision: int = 0

    def and_also(self, other: Known) -> Known:
        """What is known from both."""
        return Known(max(self.epoch, other.epoch), max(self.revision, other.revision))


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A copy: its size in bytes, and what it holds."""

    size: int
    known: Known


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. ``sessions``: how many would have gone on; all tokens of ``apps`` apps are revoked."""

    epoch: int
    revision: Revision
    apps: int
    sessions: int
    keys: int
    accounts: int


def next_epoch(known: Known) -> int:
    """The epoch that a restored store is in; raises ``StoreUnfit`` after the last."""
    if known.epoch >= LAST_EPOCH:
        raise StoreUnfit(f"the store was restored {LAST_EPOCH} times, and there is no further epoch: begin a new one")
    return known.epoch + 1


def next_revision(known: Known, now: int) -> Revision:
    """The revision that a restored store begins with, ``now`` in microseconds since 1970 UTC."""
    return Revision(now if known.revision < now else known.revision + LEAP)


def restored_event(at: datetime, api_key: ApiKey) -> AuditEvent:
    """What the audit says of an app, or of the store as a whole (empty)."""
    return AuditEvent(at, "store.restored", "restore", api_key, "", "revoked")
