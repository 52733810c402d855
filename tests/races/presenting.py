"""One refresh token presented by many at once: one rotates it, all others are given the same child."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.races.wire import RENEWED, ROTATED, Refreshed, Wire

CROWD = 64


@dataclass(frozen=True)
class Race:
    """How many had which outcome, and what is wrong with that and with what came of it."""

    outcomes: Counter[str]
    faults: list[str]


def race(wire: Wire, crowd: int = CROWD, *, user: str = "sara") -> Race:
    """Open a session and let the crowd present its refresh token."""
    issued = wire.issue(user)
    answers = wire.refresh_together(issued.refresh_token, [""] * crowd)
    faults = [*faults_of(issued.refresh_token, answers), *faults_afterwards(wire, answers)]
    return Race(Counter(answer.outcome for answer in answers), faults)


def faults_of(parent: str, answers: Sequence[Refreshed]) -> list[str]:
    """What is wrong with the answers to presentations of one refresh token."""
    outcomes = Counter(answer.outcome for answer in answers)
    children = {answer.child for answer in answers if answer.outcome in RENEWED}
    faults = []
    if outcomes[ROTATED] != 1:
        faults.append(f"{outcomes[ROTATED]} rotated it instead of one")
    if refused := {outcome: count for outcome, count in outcomes.items() if outcome not in RENEWED}:
        faults.append(f"refused: {refused}")
    if len(children) > 1:
        faults.append(f"{len(children)} children instead of one")
    if parent in children:
        faults.append("the child is its parent")
    return faults


def faults_afterwards(wire: Wire, answers: Sequence[Refreshed]) -> list[str]:
    """What is wrong with the session after the race: it lives, its child refreshes, every access token is good."""
    children = {answer.child for answer in answers if answer.outcome in RENEWED}
    if not children:
        return ["nobody got a child"]
    statuses = Counter(wire.status(answer.access) for answer in answers if answer.outcome in RENEWED)
    faults = [] if set(statuses) == {"ACTIVE"} else [f"access tokens of the session are {dict(statuses)}"]
    outcomes = [wire.refresh(child).outcome for child in sorted(children)]
    return faults if outcomes == [ROTATED] else [*faults, f"the child's refresh is {outcomes}"]
