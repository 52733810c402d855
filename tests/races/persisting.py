"""Callers that outlast a store's failures: what is answered UNAVAILABLE they ask again, until they are told to stop.

What they were acknowledged goes into the same ledger as that of callers whose server was killed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc

from tests.races.surviving import Chain, Ledger
from tests.races.wire import RENEWED, Refreshed, Wire, new_request_id

_PAUSE = 0.02
_BOUND = 60.0
_FAILED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class Caller:
    """Refreshes one session, on and on. ``served_at`` is when the last call that was answered had been begun."""

    def __init__(self, wire: Wire, ledger: Ledger) -> None:
        self.failed = 0
        self.served_at = time.monotonic()
        self._wire = wire
        self._ledger = ledger
        self._ended = threading.Event()
        issued = wire.issue()
        self._chain = Chain(issued.token, issued.refresh_token, new_request_id())
        ledger.chains.append(self._chain)
        ledger.count(issues=1)
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin to call."""
        self._thread.start()

    def end(self) -> None:
        """Make no further call, and wait for the one that is under way."""
        self._ended.set()
        self._thread.join(_BOUND)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while not self._ended.is_set():
            begun, chain = time.monotonic(), self._chain
            answer = self._ask(lambda chain=chain: self._wire.refresh(chain.token, request_id=chain.request_id))  # type: ignore[misc]
            if answer is None:
                continue
            if answer.outcome not in RENEWED:
                self._ledger.faults.append(f"after {chain.rotations} rotations a refresh is {answer.outcome}")
                return
            chain.access, chain.token, chain.request_id = answer.access, answer.child, new_request_id()
            chain.rotations += 1
            self.served_at = begun
            self._ledger.count(rotations=1)

    def _ask(self, call: Callable[[], Refreshed]) -> Refreshed | None:
        """The answer; None where the server had none to give now."""
        try:
            return call()
        except grpc.RpcError as failed:
            if failed.code() not in _FAILED:
                self._ledger.faults.append(f"a call ended with {failed.code()}")
            self.failed += 1
            self._ended.wait(_PAUSE)
            return None


@contextmanager
def calling(wire: Wire, ledger: Ledger, callers: int) -> Iterator[list[Caller]]:
    """So many callers at work; all have ended afterwards."""
    crowd = [Caller(wire, ledger) for _ in range(callers)]
    for caller in crowd:
        caller.start()
    try:
        yield crowd
    finally:
        for caller in crowd:
            caller.end()


def recovered_after(callers: list[Caller], moment: float, *, bound: float) -> float | None:
    """Seconds from that moment until every caller was served again by a call begun later; None beyond the bound."""
    while any(caller.served_at <= moment for caller in callers):
        if time.monotonic() - moment > bound:
            return None
        time.sleep(0.005)
    return time.monotonic() - moment
