"""Callers that outlast a store's failures: what is answered UNAVAILABLE they ask again, until they are told to stop.

What they were acknowledged goes into the same ledger as that of callers whose server was killed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import grpc

from tests.races.surviving import Chain, Ledger
from tests.races.wire import RENEWED, Wire, new_request_id

T = TypeVar("T")

REVOKERS = 2
_PAUSE = 0.02
_BOUND = 60.0
_FAILED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
# The second one where the first attempt revoked the session and its answer was lost.
_ENDED = ("REFRESH_TOKEN_REUSED", "SESSION_REVOKED")


class Ended(Exception):
    """The caller was told to stop."""


class Caller:
    """Works in a thread of its own. ``served_at`` is when the last call that was answered had been begun."""

    def __init__(self, wire: Wire, ledger: Ledger) -> None:
        self.failed = 0
        self.served_at = time.monotonic()
        self._wire = wire
        self._ledger = ledger
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin to call."""
        self._thread.start()

    def end(self) -> None:
        """Make no further call, and wait for the one that is under way."""
        self._ended.set()
        self._thread.join(_BOUND)
        assert not self._thread.is_alive()

    def work(self) -> None:
        """What is done again and again; raises ``Ended``."""
        raise NotImplementedError

    def open(self) -> Chain:
        """A new session."""
        issued = self.ask(self._wire.issue)
        self._ledger.count(issues=1)
        return Chain(issued.token, issued.refresh_token, new_request_id())

    def refresh(self, chain: Chain) -> None:
        """Go on by one."""
        answer = self.ask(partial(self._wire.refresh, chain.token, request_id=chain.request_id))
        if answer.outcome not in RENEWED:
            self._ledger.faults.append(f"after {chain.rotations} rotations a refresh is {answer.outcome}")
            raise Ended
        chain.access, chain.token, chain.request_id = answer.access, answer.child, new_request_id()
        chain.rotations += 1
        self._ledger.count(rotations=1)

    def ask(self, call: Callable[[], T]) -> T:
        """The answer, however often it takes; raises ``Ended`` when the caller is told to stop before there is one."""
        while not self._ended.is_set():
            begun = time.monotonic()
            try:
                answer = call()
            except grpc.RpcError as failed:
                if failed.code() not in _FAILED:
                    self._ledger.faults.append(f"a call ended with {failed.code()}")
                    break
                self.failed += 1
                self._ended.wait(_PAUSE)
            else:
                self.served_at = begun
                return answer
        raise Ended

    def _run(self) -> None:
        try:
            while True:
                self.work()
        except Ended:
            return


class Refresher(Caller):
    """Refreshes one session, on and on."""

    def __init__(self, wire: Wire, ledger: Ledger) -> None:
        super().__init__(wire, ledger)
        self._chain = self.open()
        ledger.chains.append(self._chain)

    def work(self) -> None:
        """See ``Caller.work``."""
        self.refresh(self._chain)


class Revoker(Caller):
    """Opens sessions and ends them, by presenting what was spent two turns ago."""

    def work(self) -> None:
        """See ``Caller.work``."""
        chain = self.open()
        stolen = chain.token
        self.refresh(chain)
        self.refresh(chain)
        outcome = self.ask(partial(self._wire.refresh, stolen)).outcome
        if outcome not in _ENDED:
            self._ledger.faults.append(f"a stolen refresh token is answered with {outcome}")
            raise Ended
        chain.revoked = True
        self._ledger.chains.append(chain)
        self._ledger.count(revocations=1)


@contextmanager
def calling(wire: Wire, ledger: Ledger, refreshers: int) -> Iterator[list[Caller]]:
    """So many refreshers and a few revokers at work; all have ended afterwards."""
    crowd: list[Caller] = [Refresher(wire, ledger) for _ in range(refreshers)]
    crowd += [Revoker(wire, ledger) for _ in range(REVOKERS)]
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
