"""How soon connecting is tried again: the pauses that the rules ask for, and that a client makes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from authsvc.client import AuthClient, Exhausted, Failure, Unavailable
from authsvc.client.tokens import faults
from authsvc.client.tokens.manager import TokenManager
from authsvc.client.tokens.pace import Pace
from authsvc.client.user.connecting import Attempts
from authsvc.client.user.hands import WaitingHands
from authsvc.client.user.proving import Proof, run
from tests.client.tokens.made import Machine, Provider, fraction, living

DOWN = Unavailable(Failure("UNAVAILABLE", "DRAINING", "the worker leaves"))
LIMITED = Exhausted(Failure("RESOURCE_EXHAUSTED", "RATE_LIMITED", "", retry_after=timedelta(seconds=6)))


@pytest.mark.parametrize(("chance", "pauses"), [(0.0, [0.0] * 7), (0.5, [0.25, 0.5, 1, 2, 4, 8, 12.5])])
def test_pauses_double_up_to_the_longest_with_full_jitter(chance: float, pauses: list[float]) -> None:
    """Anything between nothing and a ceiling, which doubles and ends at 25 s."""
    attempts = Attempts(7, Pace(), fraction(chance))
    assert [attempts.failed(DOWN) for _ in range(8)] == [*pauses, None]


def test_the_service_may_ask_for_a_longer_pause() -> None:
    """What it says about coming back is kept, and jitter comes on top of it."""
    attempts = Attempts(2, Pace(), fraction(0.5))
    assert [attempts.failed(LIMITED), attempts.failed(DOWN)] == [6.25, 0.5]


class Noted(threading.Event):
    """Nobody disconnects; how long a client would have waited for that is written down."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        """No time goes by."""
        self.spans.append(timeout)
        return super().wait(0)


@pytest.fixture
def service() -> Iterator[AuthClient]:
    """A client that is never asked."""
    with AuthClient("127.0.0.1:1") as client:
        yield client


def test_the_pauses_are_made(service: AuthClient) -> None:
    """Between the attempts of one connection, as long as the rules say, and none after the last."""
    machine, gone = Machine(), Noted()
    provider = Provider([DOWN, LIMITED, DOWN, living(machine.clock)])
    log = service.logs.get_logger("client.user")
    tokens = TokenManager("sara", provider, **machine.parts, spawn=machine.spawn)
    proof = Proof("dev", False, machine.clock, log)
    run(
        proof.course(Attempts(5, Pace(), fraction(0.5))),
        WaitingHands(tokens, service, gone, None, log),
    )
    assert (gone.spans, provider.count) == ([0.25, 6.5, 1], 4)
    provider.answers, gone.spans = [DOWN] * 2, []
    tokens.follow("sara", provider)
    with pytest.raises(faults.ProviderFailed):
        run(proof.course(Attempts(1, Pace(), fraction(0.5))), WaitingHands(tokens, service, gone, None, log))
    assert gone.spans == [0.25]
