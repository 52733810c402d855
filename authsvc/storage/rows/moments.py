"""Moments and lifetimes as the integers that columns hold: microseconds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from authsvc.clock import from_microseconds, to_microseconds

_MICROSECOND: Final = timedelta(microseconds=1)


def optional_microseconds(moment: datetime | None) -> int | None:
    """The column of a moment that may be missing."""
    return None if moment is None else to_microseconds(moment)


def optional_moment(stored: int | None) -> datetime | None:
    """The inverse of ``optional_microseconds``."""
    return None if stored is None else from_microseconds(stored)


def lifetime_microseconds(lifetime: timedelta) -> int:
    """The column of a lifetime."""
    return lifetime // _MICROSECOND


def lifetime(stored: int) -> timedelta:
    """The inverse of ``lifetime_microseconds``."""
    return stored * _MICROSECOND
