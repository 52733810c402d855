"""Moments as people write them: ``2026-11-20T18:00:00Z``, or ``15m`` for that long ago."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from authsvc.cli.durations import read_duration
from authsvc.cli.refusals import usage_of

_EXAMPLE = "2026-11-20T18:00:00Z"


def read_moment(option: str, text: str) -> Timestamp:
    """A moment; anything else is wrong usage of ``option``."""
    moment = Timestamp()
    with usage_of(option):
        try:
            moment.FromJsonString(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a moment such as {_EXAMPLE}") from None
    return moment


def read_past_moment(option: str, text: str | None, now: datetime) -> Timestamp | None:
    """A moment, or how long ago it was; None where nothing was given."""
    if text is None:
        return None
    moment = Timestamp()
    with usage_of(option):
        try:
            moment.FromJsonString(text)
        except ValueError:
            moment.FromDatetime(_ago(text, now).astimezone(UTC).replace(tzinfo=None))
    return moment


def _ago(text: str, now: datetime) -> datetime:
    try:
        return now - read_duration(text)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is neither a moment such as {_EXAMPLE} nor how long ago, such as 15m") from None
