"""How old is what a verifier knows, though its clock and the service's may differ."""

from __future__ import annotations

from datetime import datetime, timedelta

from authsvc.clock import Monotonic


class Age:
    """Measured by a clock that is never set, from the moments that updates are ``as_of``.

    It is at least the time since the newest ``as_of`` was first heard of, so a service that cannot read its own store
    makes a verifier older. And it is at least the time since a stream's first update, less what the service's moments
    have moved since: so updates that were held back on their way do not look new.
    """

    def __init__(self, monotonic: Monotonic) -> None:
        self._monotonic = monotonic
        self._newest: datetime | None = None
        self._heard = 0
        self._first: tuple[datetime, int] | None = None

    def began(self) -> None:
        """A new stream: what comes on it is compared with its own first update, as the service may be another."""
        self._first = None

    def told(self, as_of: datetime) -> None:
        """All that was committed before ``as_of`` is known."""
        now = self._monotonic()
        if self._first is None:
            self._first = as_of, now
        if self._newest is None or as_of > self._newest:
            self._newest, self._heard = as_of, now

    @property
    def nanoseconds(self) -> float:
        """How old; infinite while nothing is known."""
        if self._newest is None:
            return float("inf")
        now = self._monotonic()
        age = now - self._heard
        if self._first is not None:
            moment, heard = self._first
            age = max(age, now - heard - (self._newest - moment) // timedelta(microseconds=1) * 1_000)
        return age
