"""The load: one process, many calls in flight, every answer counted by its status code."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import grpc

Metadata = tuple[tuple[str, str | bytes], ...]
Request = Callable[[int], bytes]
"""The request bytes of the n-th call."""


@dataclass
class Result:
    """How one load went; latencies in seconds, sorted."""

    codes: Counter[str]
    seconds: float
    latencies: list[float] = field(repr=False)

    @property
    def per_second(self) -> float:
        return self.codes["OK"] / self.seconds

    def percentile(self, share: float) -> float:
        """The latency that this share of calls did not exceed, in milliseconds."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))] * 1000


def closed_loop(
    target: str,
    method: str,
    request: Request,
    metadata: Metadata,
    *,
    calls: int,
    in_flight: int = 32,
    connections: int = 4,
) -> Result:
    """Make ``calls`` calls, ``in_flight`` at a time: each answer lets the next one go."""
    channels = [
        grpc.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)]) for _ in range(connections)
    ]
    loop = _Loop([channel.unary_unary(method) for channel in channels], request, metadata, calls)
    started = time.perf_counter()
    loop.run(in_flight)
    seconds = time.perf_counter() - started
    for channel in channels:
        channel.close()
    return Result(loop.codes, seconds, sorted(loop.latencies))


def open_loop(
    target: str, method: str, request: Request, metadata: Metadata, *, rate: float, seconds: float, connections: int = 4
) -> Result:
    """Begin calls at a steady rate whatever becomes of them: what callers feel who do not wait for each other.

    A call that is answered late does not delay the next, so a stall shows in every latency that it touches.
    """
    channels = [
        grpc.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)]) for _ in range(connections)
    ]
    calls = int(rate * seconds)
    loop = _Loop([channel.unary_unary(method) for channel in channels], request, metadata, calls)
    started = time.perf_counter()
    for number in range(calls):
        due = started + number / rate
        # Asleep, and not spinning, or answers would be looked at only when the next call begins.
        if (early := due - time.perf_counter()) > 0:
            time.sleep(early)
        loop.begin_one(due)
    loop.wait()
    taken = time.perf_counter() - started
    for channel in channels:
        channel.close()
    return Result(loop.codes, taken, sorted(loop.latencies))


class _Loop:
    def __init__(
        self,
        callables: Sequence[grpc.UnaryUnaryMultiCallable[bytes, bytes]],
        request: Request,
        metadata: Metadata,
        calls: int,
    ) -> None:
        self._callables = callables
        self._request = request
        self._metadata = metadata
        self._calls = calls
        self._lock = threading.Lock()
        self._begun = 0
        self._goes_on = False
        self._done = threading.Event()
        self.codes: Counter[str] = Counter()
        self.latencies: list[float] = []

    def run(self, in_flight: int) -> None:
        self._goes_on = True
        for _ in range(min(in_flight, self._calls)):
            self._begin()
        self.wait()

    def wait(self) -> None:
        if not self._done.wait(timeout=120):
            raise TimeoutError(f"{len(self.latencies)} of {self._calls} calls were answered in two minutes")

    def begin_one(self, due: float) -> None:
        """Begin one call; its latency counts from when it was due."""
        self._begin(due)

    def _begin(self, due: float | None = None) -> None:
        with self._lock:
            number = self._begun
            if number >= self._calls:
                return
            self._begun += 1
        call = self._callables[number % len(self._callables)]
        started = due or time.perf_counter()
        future = call.future(self._request(number), timeout=30, metadata=self._metadata)
        future.add_done_callback(lambda done: self._ended(done, started))

    def _ended(self, done: grpc.Future[bytes], started: float) -> None:
        self.latencies.append(time.perf_counter() - started)
        self.codes[done.code().name] += 1  # type: ignore[attr-defined]
        if len(self.latencies) >= self._calls:
            self._done.set()
        elif self._goes_on:
            self._begin()
