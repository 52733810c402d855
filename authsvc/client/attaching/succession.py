"""A call and the one that may take its place: which of them is the last, and that giving up is for good."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum, auto
from typing import Any, TypeAlias

import grpc

from authsvc.client.attaching.given_up import GivenUp

Again: TypeAlias = Callable[[Any], Callable[[], Any] | None]
"""Gives what makes a call anew that has ended so, or None; it may wait."""
Spawn: TypeAlias = Callable[[Callable[[], None]], object]
"""Runs something where nobody waits for it."""


class _Phase(Enum):
    FIRST = auto()
    RENEWING = auto()
    SETTLED = auto()


class Succession:
    """``call`` is the one that is under way, ``last`` the one that is not made again, once that is known.

    Given up, a call is so whatever happens meanwhile: one that runs is cancelled, one that is still being made is
    cancelled when it is there, and those who wait are told at once. ``last`` has what ``again`` raised, if it did.
    """

    def __init__(self, call: Any, again: Again, spawn: Spawn) -> None:
        self.call = call
        self.last: Future[Any] = Future()
        self._again = again
        self._spawn = spawn
        self._phase = _Phase.FIRST
        self._lock = threading.Lock()

    def settle(self) -> None:
        """The first call is the last."""
        if self._moved(_Phase.SETTLED, _Phase.FIRST):
            self.last.set_result(self.call)

    def ended(self, call: Any) -> None:
        """The first call has ended so: make it anew, where that may help and is not settled."""
        if call.code() is not grpc.StatusCode.UNAUTHENTICATED:
            self.settle()
            return
        if not self._moved(_Phase.RENEWING, _Phase.FIRST):
            return
        try:
            self._spawn(lambda: self._renew(call))
        except Exception as fault:  # noqa: BLE001 - no thread can be had, say
            self._fail(fault)

    def give_up(self) -> bool:
        """Cancel whatever is under way, and make nothing again; whether there was something."""
        cancelled = bool(self.call.cancel())
        with self._lock:
            settled = self._phase is _Phase.SETTLED
            if not settled:
                self._phase, self.call = _Phase.SETTLED, GivenUp()
        if settled:
            return bool(self.call.cancel()) or cancelled  # it may have taken the other's place just now
        self.last.set_result(self.call)
        return True

    def _renew(self, ended: Any) -> None:
        try:
            make = self._again(ended)
            second = None if make is None or self.last.done() else make()
        except Exception as fault:  # noqa: BLE001 - a channel that was closed meanwhile, say
            self._fail(fault)
            return
        if self._moved(_Phase.SETTLED, _Phase.RENEWING, taking=second):
            self.last.set_result(self.call)
        elif second is not None:  # given up meanwhile
            second.cancel()

    def _fail(self, fault: Exception) -> None:
        if self._moved(_Phase.SETTLED, _Phase.RENEWING):
            self.last.set_exception(fault)

    def _moved(self, to: _Phase, before: _Phase, taking: Any = None) -> bool:
        """Whether it was in the phase before, and is now in the other; ``last`` is told by whoever moved it there."""
        with self._lock:
            if self._phase is not before:
                return False
            self._phase = to
            self.call = self.call if taking is None else taking
            return True
