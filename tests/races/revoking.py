"""A session that is refreshed all the time and revoked once: nothing succeeds after the revocation was acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.races.wire import RENEWED, Refreshed, Wire

_AFTERWARDS = 3  # refreshes that are begun after the acknowledgement, in each round
_BOUND = 30.0  # seconds a round may take


@dataclass(frozen=True)
class Attempt:
    """A refresh and when it was begun, by the monotonic clock."""

    begun: float
    answer: Refreshed


@dataclass
class Round:
    """What happened to one session. ``acknowledged`` is when the revoker knew; by the same clock."""

    attempts: list[Attempt] = field(default_factory=list)
    acknowledged: float | None = None


def race(wire: Wire, revoke: Callable[[str], None], after: int) -> Round:
    """Refresh a new session again and again and revoke it, by its first refresh token, after so many refreshes.

    The refresher goes on until it has begun three refreshes after the acknowledgement.
    """
    played, begin = Round(), threading.Event()
    first = wire.issue().refresh_token
    second = wire.refresh(first).child
    third = wire.refresh(second).child  # now the first one is no race's loser any more but a stolen one

    def revoker() -> None:
        begin.wait(_BOUND)
        revoke(first)
        played.acknowledged = time.monotonic()

    thread = threading.Thread(target=revoker)
    thread.start()
    try:
        _refresh_on(wire, third, played, begin, after)
    finally:
        begin.set()
        thread.join()
    return played


def _refresh_on(wire: Wire, token: str, played: Round, begin: threading.Event, after: int) -> None:
    left, ends = _AFTERWARDS, time.monotonic() + _BOUND
    while left > 0 and time.monotonic() < ends:
        if len(played.attempts) == after:
            begin.set()
        begun = time.monotonic()
        left -= played.acknowledged is not None
        answer = wire.refresh(token)
        played.attempts.append(Attempt(begun, answer))
        token = answer.child or token


def faults_of(played: Round, status: Callable[[str], str]) -> list[str]:
    """What is wrong with a round, its access tokens being looked at when it is over."""
    if played.acknowledged is None:
        return ["the revocation was not acknowledged"]
    late = [attempt for attempt in played.attempts if attempt.begun > played.acknowledged]
    faults = [] if late else ["nothing was tried after the acknowledgement"]
    if renewed := [attempt for attempt in late if attempt.answer.outcome in RENEWED]:
        faults.append(f"{len(renewed)} of {len(late)} refreshes succeeded after the acknowledgement")
    if other := _others(played.attempts):
        faults.append(f"refused: {other}")
    alive = [one for one in played.attempts if one.answer.access and status(one.answer.access) != "SESSION_REVOKED"]
    if alive:
        faults.append(f"{len(alive)} access tokens of the session are good still")
    return faults


def _others(attempts: Sequence[Attempt]) -> list[str]:
    """Outcomes that a session which is refreshed by its owner and revoked once never has."""
    return sorted({one.answer.outcome for one in attempts} - {*RENEWED, "SESSION_REVOKED"})
