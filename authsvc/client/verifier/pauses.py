"""How long to wait before a stream that ended is opened again."""

from __future__ import annotations

from typing import Final

from authsvc.clock import Randomness

FIRST: Final = 0.1
LONGEST: Final = 1.0
"""Seconds: with the service back, a verifier is back within five, and its line may take two of them."""


class Pauses:
    """Twice as long each time, and each time a random part of it: many verifiers must not come back at once."""

    def __init__(self, randomness: Randomness) -> None:
        self._randomness = randomness
        self._next = FIRST

    def succeeded(self) -> None:
        """Something was heard: the next end is the first again."""
        self._next = FIRST

    def seconds(self) -> float:
        """The pause before the next attempt."""
        longest, self._next = self._next, min(LONGEST, self._next * 2)
        return longest * (0.5 + int.from_bytes(self._randomness(2), "big") / 131_070)
