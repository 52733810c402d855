"""What is used all the time and revoked once: nothing succeeds after the revocation was acknowledged.

A session is refreshed by its owner, a single access token is shown to ValidateToken.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from authsvc.v1.auth_pb2 import IssueTokenResponse
from tests.races.wire import RENEWED, Refreshed, Wire

_AFTERWARDS = 3  # refreshes that are begun after the acknowledgement, in each round
_BOUND = 30.0  # seconds a round may take
_ENDED = ("SESSION_REVOKED", "REVOKED")

Revoke = Callable[[IssueTokenResponse], object]

SESSION_TARGETS: Mapping[str, Callable[[Wire], Revoke]] = {
    "user_id": lambda wire: lambda issued: wire.revoke(user_id=issued.info.user.id),
    "session_id": lambda wire: lambda issued: wire.revoke(session_id=issued.info.session_id),
    "refresh_token": lambda wire: lambda issued: wire.revoke(refresh_token=issued.refresh_token),
    "all_users": lambda wire: lambda issued: wire.revoke(all_users=True),
}
"""What ends a session, by the field of the request."""

TOKEN_TARGETS: Mapping[str, Callable[[Wire], Revoke]] = {
    "token": lambda wire: lambda issued: wire.revoke(token=issued.token),
    "token_id": lambda wire: lambda issued: wire.revoke(token_id=issued.info.token_id),
}
"""What ends one access token."""


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


def race(wire: Wire, revoke: Revoke, after: int) -> Round:
    """Refresh a new session again and again and revoke it, by its first tokens, after so many refreshes.

    The refresher goes on until it has begun three refreshes after the acknowledgement.
    """
    played, begin = Round(), threading.Event()
    issued = wire.issue()
    second = wire.refresh(issued.refresh_token).child
    third = wire.refresh(second).child  # now the first one is no race's loser any more but a stolen one
    with _revoker(played, begin, lambda: revoke(issued)):
        _refresh_on(wire, third, played, begin, after)
    return played


def race_with_a_token(wire: Wire, revoke: Revoke, after: int) -> list[str]:
    """Show a new access token again and again and revoke it after so many times; what is wrong with that."""
    played, begin, issued = Round(), threading.Event(), wire.issue()
    with _revoker(played, begin, lambda: revoke(issued)):
        left, ends = _AFTERWARDS, time.monotonic() + _BOUND
        while left > 0 and time.monotonic() < ends:
            if len(played.attempts) == after:
                begin.set()
            begun = time.monotonic()
            left -= played.acknowledged is not None
            played.attempts.append(Attempt(begun, Refreshed(wire.status(issued.token))))
    return faults_of_a_token(played)


@contextmanager
def _revoker(played: Round, begin: threading.Event, revoke: Callable[[], object]) -> Iterator[None]:
    """Somebody who revokes when ``begin`` is set, and notes when that was acknowledged."""

    def wait_and_revoke() -> None:
        begin.wait(_BOUND)
        revoke()
        played.acknowledged = time.monotonic()

    thread = threading.Thread(target=wait_and_revoke)
    thread.start()
    try:
        yield
    finally:
        begin.set()
        thread.join()


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
    alive = [one for one in played.attempts if one.answer.access and status(one.answer.access) not in _ENDED]
    if alive:
        faults.append(f"{len(alive)} access tokens of the session are good still")
    return faults


def faults_of_a_token(played: Round) -> list[str]:
    """What is wrong with a round in which a token was shown."""
    if played.acknowledged is None:
        return ["the revocation was not acknowledged"]
    late = [attempt.answer.outcome for attempt in played.attempts if attempt.begun > played.acknowledged]
    if not late:
        return ["nothing was tried after the acknowledgement"]
    other = sorted({attempt.answer.outcome for attempt in played.attempts} - {"ACTIVE", "REVOKED"})
    good = late.count("ACTIVE")
    faults = [f"{good} of {len(late)} times the token was good after the acknowledgement"] if good else []
    return [*faults, *([f"the token is answered with {other}"] if other else [])]


def _others(attempts: Sequence[Attempt]) -> list[str]:
    """Outcomes that a session which is refreshed by its owner and revoked once never has."""
    return sorted({one.answer.outcome for one in attempts} - {*RENEWED, "SESSION_REVOKED"})
