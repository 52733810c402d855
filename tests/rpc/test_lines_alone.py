"""The lines of calls that are written together: what goes wrong with one call's costs no other call its own."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from authsvc.app.composition import Domain, build_server
from authsvc.clock import system_randomness
from authsvc.errors import Reason
from authsvc.metrics import CallMetrics
from authsvc.model import TokenStatus
from authsvc.rpc.server import RpcServer
from authsvc.v1 import auth_pb2 as pb
from tests.conftest import HandClock, RunningServer, StartServer
from tests.metrics.reading import scrape
from tests.rpc.surface import VALIDATE, completed, eventually
from tests.storage.crowd import Held

LINES_IN_STOCK = 4096
"""Bytes that are fetched at once for the trace ids of lines, and for nothing else."""


class HeldMetrics(CallMetrics):
    """Counts as ever, but holds the first call until it is let go; raises for those whose turn is in ``faulty``."""

    def __init__(self, faulty: frozenset[int] = frozenset()) -> None:
        super().__init__(reasons=Reason, statuses=TokenStatus)
        self.first = Held()
        self.faulty = faulty
        self.turn = 0

    def completed(self, method: str, code: str, reason: str, seconds: float) -> None:
        self.turn += 1
        if self.turn == 1:
            self.first(method)
        if self.turn in self.faulty:
            raise LookupError("no such number")
        super().completed(method, code, reason, seconds)


class HeldRandomness:
    """Random bytes as ever; those for the lines' own traces cannot be had the first time."""

    def __init__(self) -> None:
        self.refused = 0

    def __call__(self, size: int) -> bytes:
        if size == LINES_IN_STOCK and not self.refused:
            self.refused += 1
            raise OSError("no randomness")
        return system_randomness(size)


Start = Callable[..., RunningServer]


@pytest.fixture
def start(start_server: StartServer, clock: HandClock) -> Start:
    """Start a server that counts by ``metrics``."""

    def with_metrics(metrics: HeldMetrics, randomness: Callable[[int], bytes] = system_randomness) -> RunningServer:
        def build(domain: Domain) -> RpcServer:
            domain.metrics.calls = metrics
            return build_server(domain, dev=True, reflection=False, clock=clock, randomness=randomness)

        return start_server(build=build)

    return with_metrics


def four_calls(server: RunningServer, metrics: HeldMetrics) -> None:
    """Four calls; while the first one is counted the others end, so that they are written together."""
    auth = server.auth()
    request = pb.ValidateTokenRequest(api_key="dev", token="x")
    for number in range(4):
        auth.ValidateToken(request, metadata=server.metadata)
        if number == 0:
            metrics.first.wait_until_reached()
    eventually(server.domain.metrics.in_flight, lambda calls: not calls)
    metrics.first.release()


def counted(server: RunningServer) -> float:
    return scrape(server.domain.metrics)("authsvc_calls_total", method=VALIDATE, code="OK")


def test_a_number_that_fails_costs_no_line(start: Start) -> None:
    """A call that cannot be counted has its line all the same, those after it are counted, and the fault is said."""
    metrics = HeldMetrics(frozenset({2}))
    server = start(metrics)
    four_calls(server, metrics)
    assert len(completed(server)) == 4
    assert counted(server) == 3
    (fault,) = [line for line in map(json.loads, server.log.getvalue().splitlines()) if "exception" in line]
    assert (fault["message"], fault["level"]) == ("a call that is over was not counted", "error")
    assert (fault["method"], fault["exception"]) == (VALIDATE, "LookupError")


def test_a_line_that_fails_costs_no_other_line(start: Start) -> None:
    """A call whose line cannot be made is counted, said to have none, and the lines of all others are written."""
    metrics, randomness = HeldMetrics(), HeldRandomness()
    server = start(metrics, randomness)
    four_calls(server, metrics)
    assert len(completed(server)) == 3
    assert counted(server) == 4
    assert randomness.refused == 1
    (fault,) = [line for line in map(json.loads, server.log.getvalue().splitlines()) if "exception" in line]
    assert (fault["message"], fault["exception"]) == ("a call that is over has no line", "OSError")
