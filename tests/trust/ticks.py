"""A monotonic clock that is moved by hand."""

from __future__ import annotations


class Ticks:
    """Nanoseconds that pass only when they are told to."""

    def __init__(self) -> None:
        self._now = 1_000_000_000_000

    def __call__(self) -> int:
        return self._now

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self._now += round(seconds * 1e9)
