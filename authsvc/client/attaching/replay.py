"""The messages of a caller's stream, for one attempt of its call after another: read by threads, and by tasks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any

from authsvc.client.attaching.kept import Kept, Step


class Replay:
    """A stream of one call, which each attempt reads from its beginning. gRPC reads on a thread of its own."""

    def __init__(self, messages: Iterable[Any]) -> None:
        self._kept = Kept()
        self._source = iter(messages)
        self._changed = threading.Condition()

    def messages(self) -> Iterator[Any]:
        """The messages for the attempt that begins now; the one before it gets no more."""
        return self._messages(self._kept.attempt)  # looked at now: a thread may begin to read late

    def hand_on(self) -> bool:
        """See ``Sent``."""
        with self._changed:
            return self._kept.hand_on()

    def settle(self) -> None:
        """See ``Sent``."""
        with self._changed:
            self._kept.settle()

    def close(self) -> None:
        """Nothing: a thread that waits in the caller's stream does so until that goes on, as behind any call."""

    def _messages(self, attempt: int) -> Iterator[Any]:
        while (message := self._next(attempt)) is not Step.OVER:
            yield message

    def _next(self, attempt: int) -> Any:
        with self._changed:
            while (step := self._kept.step(attempt)) is Step.WAIT:
                self._changed.wait()
        return self._read(attempt) if step is Step.READ else step

    def _read(self, attempt: int) -> Any:
        try:
            message = next(self._source)
        except BaseException as end:
            with self._changed:
                self._kept.ended(end)
                self._changed.notify_all()
            if isinstance(end, StopIteration):
                return Step.OVER
            raise
        with self._changed:
            self._changed.notify_all()
            return self._kept.brought(attempt, message)


class AwaitedReplay:
    """The same in an event loop, where gRPC reads in a task."""

    def __init__(self, messages: AsyncIterable[Any] | Iterable[Any]) -> None:
        self._kept = Kept()
        self._source = aiter(messages) if isinstance(messages, AsyncIterable) else _awaited(messages)
        self._changed = asyncio.Event()
        self._reader: tuple[int, asyncio.Task[Any] | None] | None = None

    def messages(self) -> AsyncIterator[Any]:
        """The messages for the attempt that begins now; the one before it gets no more."""
        return self._messages(self._kept.attempt)

    def hand_on(self) -> bool:
        """See ``Sent``."""
        return self._kept.hand_on()

    def settle(self) -> None:
        """See ``Sent``."""
        self._kept.settle()

    def close(self) -> None:
        """Cancel whoever still asks the caller's stream for an attempt before the last: gRPC cancels only the last."""
        if self._reader is not None:
            attempt, task = self._reader
            if task is not None and attempt != self._kept.attempt:
                task.cancel()

    async def _messages(self, attempt: int) -> AsyncIterator[Any]:
        while (message := await self._next(attempt)) is not Step.OVER:
            yield message

    async def _next(self, attempt: int) -> Any:
        while (step := self._kept.step(attempt)) is Step.WAIT:
            self._changed.clear()
            await self._changed.wait()
        return await self._read(attempt) if step is Step.READ else step

    async def _read(self, attempt: int) -> Any:
        self._reader = attempt, asyncio.current_task()
        try:
            message = await anext(self._source)
        except BaseException as end:
            self._kept.ended(end)
            if isinstance(end, StopAsyncIteration):
                return Step.OVER
            raise
        finally:
            self._reader = None
            self._changed.set()
        return self._kept.brought(attempt, message)


async def _awaited(messages: Iterable[Any]) -> AsyncIterator[Any]:
    for message in messages:
        yield message
