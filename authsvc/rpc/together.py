"""Serving calls that came together one after the other on one thread.

A call that finds all of our code where the last one left it costs half of one that does not, and its audit line is
written with those of the others: what must be on the disk before an answer is given is written before the first of them
is. Nobody waits for company: what is taken is what came while the last ones were served.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from queue import SimpleQueue
from typing import Protocol

from authsvc.errors import AuthError
from authsvc.logs import Logger
from authsvc.rpc.call import Call
from authsvc.rpc.interceptors.body import parse_request

MOST = 32
"""Calls whose answers wait for each other: a few milliseconds' work."""

MOST_WAITING = 4 * MOST
"""Calls that may wait for their turn here; beyond that they are better served alone."""

HASTE = 1.0
"""Seconds that calls together may wait for the store; a call that has less left waits for nobody else."""

Prepare = Callable[[Sequence[Call]], object]
"""Does what can be done for several calls at once, and sets ``at_once`` for those that have nothing left to wait for.

Whatever it raises, the calls are served as if they had come alone.
"""


class Arrived(Protocol):
    """A call whose message is there."""

    call: Call

    def serve(self) -> bytes | None:
        """The encoded answer, which nobody is told yet; None for a call that was refused, and is over."""

    def end(self, encoded: bytes) -> None:
        """Tell the caller."""

    def __call__(self) -> object:
        """Both, on a thread of its own."""


class Together:
    """A thread for the calls of one method; those that cannot be served at once are passed on to ``alone``."""

    def __init__(self, prepare: Prepare, alone: Executor, lines: Logger, *, name: str) -> None:
        self._prepare = prepare
        self._alone = alone
        self._lines = lines
        self._waiting: SimpleQueue[Arrived | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def add(self, arrived: Arrived) -> None:
        """Have a call served soon."""
        if arrived.call.hurried or self._waiting.qsize() >= MOST_WAITING:
            self._alone.submit(arrived)
        else:
            self._waiting.put(arrived)

    def close(self) -> None:
        """Serve those that were added and end the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next():
            # What a call raises is answered within it. Whatever else there is, later calls need this thread; those of
            # the batch that were not answered end with their deadlines.
            with suppress(Exception):
                self._serve(batch)

    def _next(self) -> list[Arrived]:
        """Wait for a call and take what is there; nothing at the end."""
        batch: list[Arrived] = []
        while (arrived := self._waiting.get()) is not None:
            batch.append(arrived)
            if len(batch) == MOST or self._waiting.empty():
                return batch
        if batch:
            self._waiting.put(None)  # found again once these are served
        return batch

    def _serve(self, batch: list[Arrived]) -> None:
        with self._lines.together():
            _prepare([arrived.call for arrived in batch], self._prepare)
            ready = deque(arrived for arrived in batch if arrived.call.at_once)
            others = [arrived for arrived in batch if not arrived.call.at_once]
            answers = [arrived.serve() for arrived in ready]
        batch.clear()  # a call that is over must be let go of before the next: its stream counts until then
        for encoded in answers:
            arrived = ready.popleft()
            if encoded is not None:
                arrived.end(encoded)
            del arrived
        for arrived in others:
            self._alone.submit(arrived)


def _prepare(calls: Sequence[Call], prepare: Prepare) -> None:
    parsed = [call for call in calls if _parses(call)]
    try:
        prepare(parsed)
    except Exception:  # noqa: BLE001 - each will meet it again by itself, where it is answered for
        for call in parsed:
            call.at_once = False


def _parses(call: Call) -> bool:
    """Whether the call's message does; the refusal of one that does not is left to who serves it alone."""
    assert call.body is not None, "its message is there"
    try:
        call.request = parse_request(call.known_method, call.body)
    except AuthError:
        return False
    return True
