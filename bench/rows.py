"""A row of the table: one call under load, beside a bare echo of payloads of the same sizes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import grpc

from bench.load import Request, Result, closed_loop, open_loop
from bench.servers import Server

CALLS = int(os.environ.get("BENCH_CALLS", "20000"))
WARM = 1_000
ECHOES = 8_000
"""Calls of an echo. It is measured for each row anew, just before it: a machine is not the same for minutes."""

SECONDS = 5.0
"""How long calls come at a steady rate."""


@dataclass
class Row:
    """One measured call, or one item of a measured batch. ``goal``: the least ratio that is wanted; None: none is."""

    name: str
    request_bytes: int
    answer_bytes: int
    microseconds_cpu: float
    echo_microseconds_cpu: float
    per_second: float
    p50_ms: float
    p99_ms: float
    memory_mib: float
    goal: float | None = None

    @property
    def ratio(self) -> float:
        """Processor time of the echo by that of the call."""
        return self.echo_microseconds_cpu / self.microseconds_cpu

    @property
    def per_core_second(self) -> float:
        """How many a core serves in a second, by the server's processor time."""
        return 1e6 / self.microseconds_cpu


@dataclass(frozen=True)
class Load:
    """Calls of a method, the n-th with the n-th request. ``items``: of a batch, which figures are then those of one."""

    name: str
    method: str
    request: Request
    calls: int = CALLS
    items: int = 1
    in_flight: int = 32
    goal: float | None = None


def measure(load: Load, server: Server, echo: Server) -> Row:
    """The echo of the load's sizes, and then the load itself: warmed up, then counted."""
    sizes = _sizes(load, server)
    # A batch is beside the echo of one item: what is compared is asking for each by itself.
    plain = echo_load(*(size // load.items for size in sizes))
    beside, _, _ = _closed(replace(plain, in_flight=load.in_flight) if load.items == 1 else plain, echo)
    used, result, memory = _closed(load, server)
    return _row(load.name, sizes, used / load.items, beside, result, memory, load.goal, load.items)


def measure_at(rate: float, load: Load, server: Server, echo: Server) -> Row:
    """The same with calls that come at that rate, a second, whether or not earlier ones were answered.

    Their latencies are what callers feel who do not wait for each other.
    """
    sizes = _sizes(load, server)
    beside, _, _ = _open(rate, echo_load(*sizes), echo)
    used, result, memory = _open(rate, load, server)
    return _row(f"{load.name}, {rate:,.0f} a second", sizes, used, beside, result, memory)


def echo_load(request_bytes: int, answer_bytes: int) -> Load:
    """Calls that carry so much both ways."""
    payload = os.urandom(request_bytes)
    return Load("bare echo", f"/bench.Echo/{answer_bytes}", lambda _: payload, ECHOES)


def _sizes(load: Load, server: Server) -> tuple[int, int]:
    """Of the request and of the answer, as the first call has them."""
    request = load.request(0)
    with grpc.insecure_channel(server.target) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(load.method)
        answer = call(request, metadata=server.metadata, timeout=30)
    return len(request), len(answer)


def _closed(load: Load, server: Server) -> tuple[float, Result, float]:
    run = partial(closed_loop, server.target, load.method, metadata=server.metadata, in_flight=load.in_flight)
    run(_from(load.request, 1), calls=min(WARM, load.calls // 4))
    return _counted(load, server, load.calls, lambda: run(_from(load.request, 1 + WARM), calls=load.calls))


def _open(rate: float, load: Load, server: Server) -> tuple[float, Result, float]:
    def run() -> Result:
        return open_loop(
            server.target, load.method, _from(load.request, 1), server.metadata, rate=rate, seconds=SECONDS
        )

    return _counted(load, server, int(rate * SECONDS), run)


def _counted(load: Load, server: Server, calls: int, run: Callable[[], Result]) -> tuple[float, Result, float]:
    """Microseconds of the server's processor time for a call; every call has to be answered well."""
    before = server.cpu_seconds()
    result = run()
    if result.codes["OK"] != calls:
        raise SystemExit(f"{load.name}: not every call was answered with OK: {dict(result.codes)}")
    return (server.cpu_seconds() - before) / calls * 1e6, result, server.memory_mib()


def _from(request: Request, first: int) -> Request:
    return lambda number: request(first + number)


def _row(
    name: str,
    sizes: tuple[int, int],
    used: float,
    beside: float,
    result: Result,
    memory: float,
    goal: float | None = None,
    items: int = 1,
) -> Row:
    p50, p99 = result.percentile(0.5), result.percentile(0.99)
    return Row(name, *sizes, used, beside, result.per_second * items, p50, p99, memory, goal)
