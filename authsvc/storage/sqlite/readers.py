"""A few connections that only read. Each sees whole commits, and every commit that was acknowledged before."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

import apsw

from authsvc.clock import Deadline, seconds_left
from authsvc.storage.sqlite.connection import Slot, fetch
from authsvc.storage.sqlite.faults import ENGINE_FAULTS, closed, too_late, unavailable

T = TypeVar("T")

READERS: Final = 4
"""Reads take microseconds and hold the interpreter for most of that: more connections would only hold memory."""


class Readers:
    """Lends connections to callers, one at a time each."""

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._closed = False
        self._idle: SimpleQueue[Slot] = SimpleQueue()
        for _ in range(READERS):
            self._idle.put(Slot(connect))

    def read(self, work: Callable[[apsw.Connection], T], *, deadline: Deadline | None = None) -> T:
        """Run one reading statement; raises ``Unavailable`` and ``DeadlinePassed``."""
        slot = self._borrow(deadline)
        try:
            if self._closed:
                raise closed()
            return work(slot.connection())
        except ENGINE_FAULTS as fault:
            slot.discard()
            raise unavailable(fault) from fault
        finally:
            self._idle.put(slot)

    def read_at_one_instant(self, work: Callable[[apsw.Connection], T], *, deadline: Deadline | None = None) -> T:
        """Run several reading statements that all see the same commit."""
        return self.read(lambda connection: _in_one_transaction(connection, work), deadline=deadline)

    def close(self) -> None:
        """Wait for the reads that were begun, refuse the rest."""
        self._closed = True
        slots = [self._idle.get() for _ in range(READERS)]
        for slot in slots:
            slot.discard()
            self._idle.put(slot)  # so that whoever waits for one is refused instead of left waiting

    def _borrow(self, deadline: Deadline | None) -> Slot:
        patience = None if deadline is None else seconds_left(deadline)
        if patience is not None and patience <= 0:
            raise too_late()
        try:
            return self._idle.get(timeout=patience)
        except Empty:
            raise too_late() from None


def _in_one_transaction(connection: apsw.Connection, work: Callable[[apsw.Connection], T]) -> T:
    fetch(connection, "BEGIN")
    try:
        return work(connection)
    finally:
        with contextlib.suppress(apsw.Error):  # it only read: there is nothing to lose, and the work's fault says more
            fetch(connection, "ROLLBACK")
