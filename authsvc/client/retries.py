"""How often and how soon a call is repeated: exponential backoff with full jitter, within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from authsvc.client.spans import span
from authsvc.clock import Randomness, system_randomness


@dataclass(frozen=True, slots=True)
class Retries:
    """At most ``limit`` repeats; before the n-th a pause between 0 and ``first`` · 2ⁿ⁻¹, at most ``longest``.

    Full jitter: clients that failed together do not come back together. Where the service says how long to stay away,
    the pause comes on top of that, for the same reason.
    """

    limit: int = 4
    first: timedelta = timedelta(milliseconds=100)
    longest: timedelta = timedelta(seconds=1)
    randomness: Randomness = system_randomness

    def __post_init__(self) -> None:
        span("first", self.first)
        span("longest", self.longest)

    def delays(self) -> Iterator[float]:
        """The pauses of one call, in seconds."""
        ceiling = self.first
        for _ in range(self.limit):
            yield ceiling.total_seconds() * self._fraction()
            ceiling = min(ceiling * 2, self.longest)

    def _fraction(self) -> float:
        return int.from_bytes(self.randomness(4), "big") / 2**32


NO_RETRIES = Retries(limit=0)
