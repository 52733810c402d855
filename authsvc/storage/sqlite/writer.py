"""The one thread that writes: it commits what waits in groups, so that one disk flush serves many callers.

A unit that fails is undone alone. Nobody is told of anything before the commit that holds it is durable, and the
listener is told before the callers are.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, Final, TypeVar

import apsw

from authsvc.clock import Clock, Deadline, seconds_left
from authsvc.storage.base import Listener
from authsvc.storage.batches import BatchObserver, Unobserved
from authsvc.storage.sqlite.connection import Slot, fetch
from authsvc.storage.sqlite.faults import ENGINE_FAULTS, closed, too_late, unavailable
from authsvc.storage.sqlite.log import Log
from authsvc.storage.sqlite.transaction import Transaction
from authsvc.storage.sqlite.unit import Unit

T = TypeVar("T")

MAX_BATCH: Final = 256


class Writer:
    """Runs units of work one after the other on its own connection. Survives whatever they do."""

    def __init__(
        self, connect: Callable[[], apsw.Connection], clock: Clock, observer: BatchObserver | None = None
    ) -> None:
        self._log = Log()
        self._slot = Slot(lambda: self._log.watch(connect()))
        self._clock = clock
        self._observer = observer or Unobserved()
        self._listener: Listener | None = None
        self._waiting: SimpleQueue[Unit[Any] | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` of commits from the next one on."""
        self._listener = listener

    def backlog(self) -> int:
        """How many units wait to be begun, about."""
        return self._waiting.qsize()

    def run(self, work: Callable[[Transaction], T], *, deadline: Deadline | None = None) -> T:
        """Do the work in a transaction and return what it returned, once that is durable.

        Raises what the work raised, ``Unavailable`` and ``DeadlinePassed``: then nothing was changed, but for this:
        after a failed flush the change may be found by a later start, never by this process.
        """
        if deadline is not None and seconds_left(deadline) <= 0:
            raise too_late()
        unit = Unit(work, deadline)
        self._waiting.put(unit)
        if self._closed and unit.take():  # put behind the end of the queue, where the thread no longer looks
            raise closed()
        return unit.outcome()

    def close(self) -> None:
        """Finish the batch in work, refuse the rest, end the thread."""
        self._closed = True
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        running = True
        while running:
            batch, running = self._next_batch()
            if self._closed:
                _refuse(batch)
            else:
                self._write(batch)
        self._slot.discard()

    def _next_batch(self) -> tuple[Sequence[Unit[Any]], bool]:
        """Wait for a unit and take what is there; False with the last batch."""
        batch: list[Unit[Any]] = []
        unit = self._waiting.get()
        while unit is not None:
            batch.append(unit)
            if len(batch) == MAX_BATCH or self._waiting.empty():
                return batch, True
            unit = self._waiting.get()
        return batch, False

    def _write(self, batch: Sequence[Unit[Any]]) -> None:
        begun: list[Unit[Any]] = []
        try:
            connection = self._slot.connection()
            fetch(connection, "BEGIN IMMEDIATE")  # before any unit is begun: while it waits, callers can withdraw
            for unit in batch:
                if unit.begin():
                    begun.append(unit)
                    self._perform(connection, unit)
            self._commit(connection, len(begun))
        except BaseException as fault:  # noqa: BLE001 - it must reach the callers, and the thread must live on
            self._undo()
            _fail(batch, begun, fault)
            self._observer.failed()
        else:
            self._announce(begun)
            self._log.tidy(connection)  # nobody waits for it, and nobody is told when it cannot be done now

    def _commit(self, connection: apsw.Connection, changes: int) -> None:
        started = time.perf_counter()
        fetch(connection, "COMMIT")
        with contextlib.suppress(Exception):  # it is durable: nothing that comes after may look as if it was not
            self._observer.committed(changes, time.perf_counter() - started)

    def _undo(self) -> None:
        """Leave nothing of a failed batch, not even an open transaction."""
        try:
            connection = self._slot.connection()
            if connection.in_transaction:
                fetch(connection, "ROLLBACK")
        except BaseException:  # noqa: BLE001 - whatever is wrong with it, another connection will do
            self._slot.discard()

    def _perform(self, connection: apsw.Connection, unit: Unit[Any]) -> None:
        fetch(connection, "SAVEPOINT unit")
        transaction = Transaction(connection, self._clock)
        try:
            unit.result = unit.work(transaction)
            unit.commit = transaction.commit
        except BaseException as fault:
            if not connection.in_transaction:  # some faults make the engine undo everything, the savepoint with it
                raise
            fetch(connection, "ROLLBACK TO unit")
            unit.error = unavailable(fault) if isinstance(fault, ENGINE_FAULTS) else fault
        fetch(connection, "RELEASE unit")

    def _announce(self, begun: Sequence[Unit[Any]]) -> None:
        for unit in begun:
            if unit.commit is not None and self._listener is not None:
                try:
                    self._listener(unit.commit)
                except BaseException as fault:  # noqa: BLE001 - a mistake of ours; shown to the caller who caused it
                    unit.error = fault
        for unit in begun:
            unit.tell()


def _fail(batch: Sequence[Unit[Any]], begun: Sequence[Unit[Any]], fault: BaseException) -> None:
    for unit in batch:
        if unit in begun or unit.take():
            unit.fail(unavailable(fault))


def _refuse(batch: Sequence[Unit[Any]]) -> None:
    for unit in batch:
        if unit.take():
            unit.fail(closed())
