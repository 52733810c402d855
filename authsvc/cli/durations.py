"""Durations as people write them: ``90s``, ``15m``, ``1h30m``, ``14d``, or plain seconds."""

from __future__ import annotations

import re
from datetime import timedelta

# The longest that protobuf's Duration can say, about 10,000 years.
_MAX_SECONDS = 315_576_000_000
_FORM = re.compile(r"(?:(\d{1,12})d)?(?:(\d{1,12})h)?(?:(\d{1,12})m)?(?:(\d{1,12})s)?", re.ASCII)
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


def read_duration(text: str) -> timedelta:
    """The duration; raises ``ValueError`` with a sentence that shows how to write one."""
    parts = _FORM.fullmatch(f"{text}s" if text.isdigit() else text)
    if not text or parts is None:
        raise ValueError(f"{text!r} is not a duration: write 90s, 15m, 1h, 14d or plain seconds")
    seconds = sum(int(count or 0) * unit for count, unit in zip(parts.groups(), _UNITS.values(), strict=True))
    if seconds > _MAX_SECONDS:
        raise ValueError(f"{text!r} is longer than 10,000 years")
    return timedelta(seconds=seconds)


def duration_words(duration: timedelta) -> str:
    """The shortest text that ``read_duration`` reads back: ``1h30m``. Fractions of a second are left out."""
    left, words = int(duration.total_seconds()), ""
    for unit, length in _UNITS.items():
        count, left = divmod(left, length)
        words += f"{count}{unit}" if count else ""
    return words or "0s"
