"""The messages of a caller's stream, kept as long as the call may have to be made again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any

LIMIT = 64
"""Messages that are kept; a peer that refuses a token does so before it has read many."""


class Kept:
    """The messages taken from a stream so far, and whether all of them are still there."""

    def __init__(self) -> None:
        self.attempt = 0
        self.taken: list[Any] = []
        self._keeping = True
        self.complete = True

    def begin(self) -> int:
        """The number of one more attempt."""
        self.attempt += 1
        return self.attempt

    def add(self, message: Any) -> None:
        """One more was taken."""
        if not self._keeping:
            return
        if len(self.taken) < LIMIT:
            self.taken.append(message)
        else:
            self._keeping = self.complete = False
            self.taken.clear()

    def settle(self) -> None:
        """The peer has answered: the call is not made again, and no more messages are kept."""
        self._keeping = False


class Replay:
    """A stream of one call, which each attempt reads from its beginning. gRPC reads on a thread of its own."""

    def __init__(self, messages: Iterable[Any]) -> None:
        self.kept = Kept()
        self._source = iter(messages)
        self._lock = threading.Lock()

    def messages(self) -> Iterator[Any]:
        """The messages for one attempt; the attempt before it gets no more."""
        attempt, index = self.kept.begin(), 0
        while True:
            # Held while the caller is asked: what the last attempt still waits for is there for this one.
            with self._lock:
                if index < len(self.kept.taken):
                    message = self.kept.taken[index]
                else:
                    try:
                        message = next(self._source)
                    except StopIteration:
                        return
                    self.kept.add(message)
            if attempt != self.kept.attempt:
                return
            index += 1
            yield message


class AwaitedReplay:
    """The same in an event loop."""

    def __init__(self, messages: AsyncIterable[Any] | Iterable[Any]) -> None:
        self.kept = Kept()
        self._source = aiter(messages) if isinstance(messages, AsyncIterable) else _awaited(messages)
        self._lock = asyncio.Lock()

    async def messages(self) -> AsyncIterator[Any]:
        """The messages for one attempt; the attempt before it gets no more."""
        attempt, index = self.kept.begin(), 0
        while True:
            async with self._lock:
                if index < len(self.kept.taken):
                    message = self.kept.taken[index]
                else:
                    try:
                        message = await anext(self._source)
                    except StopAsyncIteration:
                        return
                    self.kept.add(message)
            if attempt != self.kept.attempt:
                return
            index += 1
            yield message


async def _awaited(messages: Iterable[Any]) -> AsyncIterator[Any]:
    for message in messages:
        yield message
