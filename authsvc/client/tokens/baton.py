"""What is held by one at a time, by threads and tasks alike, in the order in which they came."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from threading import Lock


class Baton:
    """A lock for holders of either kind: whoever awaits it holds no thread up."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held = False
        self._waiting: deque[Future[None]] = deque()

    @contextmanager
    def held(self, seconds: float) -> Iterator[None]:
        """Hold it, for callers that wait; raises ``TimeoutError`` when it did not come in time."""
        with self._in_line() as place:
            if place is not None:
                place.result(seconds)
        try:
            yield
        finally:
            self._pass_on()

    @asynccontextmanager
    async def held_later(self) -> AsyncIterator[None]:
        """The same for callers that await, who are cancelled when it takes too long."""
        with self._in_line() as place:
            if place is not None:
                await asyncio.wrap_future(place)
        try:
            yield
        finally:
            self._pass_on()

    @contextmanager
    def _in_line(self) -> Iterator[Future[None] | None]:
        """A place in the line, which is left where waiting for it fails; None: it is the caller's at once."""
        place = self._join()
        try:
            yield place
        except BaseException:
            if place is not None:
                self._leave(place)
            raise

    def _join(self) -> Future[None] | None:
        with self._lock:
            if not self._held:
                self._held = True
                return None
            self._waiting.append(Future())
            return self._waiting[-1]

    def _leave(self, place: Future[None]) -> None:
        if not place.cancel():  # it was handed over meanwhile
            self._pass_on()

    def _pass_on(self) -> None:
        with self._lock:
            following = next((place for place in self._drained() if place.set_running_or_notify_cancel()), None)
            self._held = following is not None
        if following is not None:
            following.set_result(None)

    def _drained(self) -> Iterator[Future[None]]:
        while self._waiting:
            yield self._waiting.popleft()
