"""Callers who keep servers half busy, in a process of their own so that they do not slow down who measures.

``python -m tests.following.half_load`` reads where to call as JSON from standard input, finds out how many validations
and issues a second the servers answer, says half of that rate, and calls at that rate until standard input ends.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import grpc

from authsvc.v1 import auth_pb2, auth_pb2_grpc

THREADS = 8
_FINDING_SECONDS = 3.0


@dataclass(frozen=True)
class Orders:
    """Where to call, and as whom."""

    targets: Sequence[str]
    credential: str


@contextmanager
def half_loaded(orders: Orders) -> Iterator[dict[str, object]]:
    """While this lasts the servers are half busy; what was called is known at the end."""
    numbers: dict[str, object] = {}
    command = [sys.executable, "-m", "tests.following.half_load"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdin is not None
        assert caller.stdout is not None
        caller.stdin.write(json.dumps(asdict(orders)) + "\n")
        caller.stdin.flush()
        numbers["calls a second"] = json.loads(caller.stdout.readline())
        try:
            yield numbers
        finally:
            caller.stdin.close()
            numbers |= json.loads(caller.stdout.readline())


class _Callers:
    """Threads that validate and issue in turn; ``pause`` says how long each waits between two calls."""

    def __init__(self, orders: Orders) -> None:
        self._metadata = (("authorization", f"Bearer {orders.credential}"),)
        own = [("grpc.use_local_subchannel_pool", 1)]
        channels = [grpc.insecure_channel(target, options=own) for target in orders.targets for _ in range(2)]
        self._stubs = itertools.cycle([auth_pb2_grpc.AuthServiceStub(channel) for channel in channels])
        self.outcomes: Counter[str] = Counter()
        self._lock = threading.Lock()

    def call_until(self, over: Callable[[], bool], *, rate: float | None = None) -> None:
        """Call from all threads until it is over, each at its part of the rate (None: as fast as it goes)."""
        threads = [threading.Thread(target=self._call, args=(over, rate), daemon=True) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _call(self, over: Callable[[], bool], rate: float | None) -> None:
        stub, token, began = next(self._stubs), "", time.monotonic()
        for number in itertools.count():
            if rate is not None:
                time.sleep(max(0.0, began + number * THREADS / rate - time.monotonic()))
            if over():
                return
            try:
                if number % 5 == 0:
                    token = self._issue(stub, f"load-{number % 50}")
                else:
                    self._validate(stub, token)
                outcome = "OK"
            except grpc.RpcError as refused:
                outcome = (refused.details() or "").partition(":")[0]
            with self._lock:
                self.outcomes[outcome] += 1

    def _issue(self, stub: auth_pb2_grpc.AuthServiceStub, user: str) -> str:
        request = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id=user))
        return stub.IssueToken(request, metadata=self._metadata, timeout=10).token

    def _validate(self, stub: auth_pb2_grpc.AuthServiceStub, token: str) -> None:
        stub.ValidateToken(
            auth_pb2.ValidateTokenRequest(api_key="dev", token=token), metadata=self._metadata, timeout=10
        )


def main() -> None:
    """Obey the orders on standard input."""
    callers = _Callers(Orders(**json.loads(sys.stdin.readline())))
    ends = time.monotonic() + _FINDING_SECONDS
    callers.call_until(lambda: time.monotonic() > ends)
    rate = callers.outcomes["OK"] / _FINDING_SECONDS / 2
    callers.outcomes.clear()
    over = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(over,), daemon=True).start()
    _say(round(rate))
    callers.call_until(over.is_set, rate=rate)
    _say({"calls": callers.outcomes.total(), "failures": _without_ok(callers.outcomes)})


def _wait_for_the_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def _say(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _without_ok(outcomes: Counter[str]) -> dict[str, int]:
    return {outcome: count for outcome, count in outcomes.items() if outcome != "OK"}


if __name__ == "__main__":
    main()
