"""Work that nobody waits for: done in order by one thread, a moment later and many at a time."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

GATHER_SECONDS: Final = 0.005
"""How long the first piece waits for others: a hand-over between threads for each would cost more than its work."""

MOST: Final = 65_536
"""Pieces that may wait. Beyond that whoever adds one does a share of the work first, so memory is bounded."""


class Later(Generic[T]):
    """Hands what is added to `do`, in the order of adding; what `do` raises is lost with its batch.

    Safe to use from any thread. `close` does what is left and ends the thread; what is added afterwards is done at
    once by who adds it.
    """

    def __init__(self, do: Callable[[Sequence[T]], object], *, name: str) -> None:
        self._do = do
        self._pieces: deque[T] = deque()
        self._doing = threading.Lock()
        self._some = threading.Event()
        self._hurry = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def add(self, piece: T) -> None:
        """Have it done soon."""
        self._pieces.append(piece)
        if not self._some.is_set():
            self._some.set()
        if self._closed or len(self._pieces) > MOST:
            self.flush()

    def flush(self) -> None:
        """Return when everything that was added before is done."""
        with self._doing:  # one batch after the other, or their order would be lost
            self._do_what_is_there()

    def close(self) -> None:
        """Do what is left and end the thread; closing twice is harmless."""
        self._closed = True
        self._hurry.set()
        self._some.set()
        self._thread.join()
        self.flush()

    def _run(self) -> None:
        while not self._closed:
            self._some.wait()
            # Cleared before what is there is taken: a piece that comes in between is not overlooked.
            self._hurry.wait(GATHER_SECONDS)
            self._some.clear()
            self.flush()

    def _do_what_is_there(self) -> None:
        batch = [self._pieces.popleft() for _ in range(len(self._pieces))]
        if batch:
            with suppress(Exception):  # the thread must live on, and there is nobody left to tell
                self._do(batch)
