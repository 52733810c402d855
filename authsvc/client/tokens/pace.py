"""How soon: when in the life of a token the next one is fetched, and how long to wait after a failure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from authsvc.client.spans import span
from authsvc.client.tokens.access_token import AccessToken


@dataclass(frozen=True, slots=True)
class Pace:
    """The bounds of refreshing.

    A token is renewed when ``share`` of its life is over, give or take ``spread`` of its life, so that tokens issued
    together are not renewed together. A provider has ``provider_timeout`` for an answer and is asked again at most
    ``attempts`` times in a row: the first time at once, then after a pause of 0 to ``first_pause`` · 2ⁿ⁻¹, at most
    ``longest_pause`` (full jitter). A token refused within ``proving_time`` after it came counts as a failure too.
    Where a session's turn was not answered it is asked for once more, beside the callers, within each ``doubt_pause``.
    """

    share: float = 0.8
    spread: float = 0.05
    attempts: int = 10
    first_pause: timedelta = timedelta(milliseconds=500)
    longest_pause: timedelta = timedelta(seconds=25)
    provider_timeout: timedelta = timedelta(seconds=10)
    proving_time: timedelta = timedelta(seconds=10)
    doubt_pause: timedelta = timedelta(minutes=5)

    def __post_init__(self) -> None:
        if not 0 < self.share - self.spread <= self.share + self.spread < 1:
            raise ValueError("a token is renewed after its beginning and before its end")
        for name in ("first_pause", "longest_pause", "provider_timeout", "proving_time", "doubt_pause"):
            span(name, getattr(self, name))
        if self.attempts < 1 or self.provider_timeout <= timedelta(0):
            raise ValueError("a provider is asked at least once and has time to answer")

    def pause(self, failures: int, fraction: float) -> float:
        """Seconds to wait after that many failures in a row; ``fraction`` is random, from 0 up to 1."""
        doublings: int = 2 ** min(failures - 1, 16)  # beyond that only the longest pause is left
        return min(self.first_pause * doublings, self.longest_pause).total_seconds() * fraction

    def renewal(self, life: float, left: float, fraction: float) -> float:
        """Seconds from now until a token is renewed that lives ``life`` seconds and has ``left`` of them.

        One that comes late in its life, from a backend that keeps tokens say, has its share of what is left: asked at
        once the same backend would give the same token.
        """
        share = self.share + self.spread * (2 * fraction - 1)
        due = share * life - (life - left)
        return due if due > 0 else share * left


@dataclass(frozen=True, slots=True)
class Span:
    """How long a token lives in all, and how much of that is left, in seconds."""

    life: float
    left: float


def span_of(token: AccessToken, now: float) -> Span | None:
    """The span of a token that was just fetched, ``now`` by this machine's wall clock; None: no end is known.

    A token that seems expired, or not begun, on arrival tells of a clock that is set wrong, here or there: then its
    whole life is taken to lie ahead, and the service alone says when it is over.
    """
    if token.expires_at is None:
        return None
    life = token.expires_at - (now if token.issued_at is None else token.issued_at)
    left = token.expires_at - now
    return Span(life, left if 0 < left <= life else life) if life > 0 else None
