"""A monotonic clock that is moved by hand."""

from __future__ import annotations


class HandTicks:
    """Stands still until it is moved, forwards only."""

    def __init__(self) -> None:
        self._now = 1_000_000_007

    def __call__(self) -> int:
        return self._now

    def move(self, seconds: float) -> None:
        """Move on, to the nanosecond."""
        assert seconds >= 0
        self._now += round(seconds * 1_000_000_000)
