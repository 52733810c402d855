"""Calls for those who await: as for those who wait, and a caller that is cancelled always learns it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, Generic, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from authsvc.client.course import PLACES, Course, Rules, no_turn
from authsvc.client.errors import AuthClientError
from authsvc.client.homes import HomeLoop
from authsvc.client.lines import Lease, Lines
from authsvc.client.methods import Pages, Stream, Unary
from authsvc.client.spans import positive
from authsvc.client.status import error_of

Request = TypeVar("Request", bound=Message)
Answer = TypeVar("Answer", bound=Message)
Item = TypeVar("Item")

AwaitedPause = Callable[[float], Awaitable[None]]
"""Waits for that many seconds."""


class AwaitedLines(Lines[grpc.aio.Channel]):
    """Lines of one event loop, that of the first call: a channel would fail in another without saying why."""

    def __init__(self, open_channel: Callable[[], grpc.aio.Channel], renewed: Callable[[], bool]) -> None:
        super().__init__(open_channel, renewed)
        self._home_loop = HomeLoop()

    def check(self) -> None:
        """As those of callers that wait; raises ``OtherLoop`` in another event loop."""
        super().check()
        self._home_loop.check()


class AwaitedCalls:
    """Makes calls with a deadline and the credential each; raises ``AuthClientError`` for those that fail."""

    def __init__(
        self, lines: AwaitedLines, rules: Rules, pause: AwaitedPause, places: asyncio.Semaphore | None = None
    ) -> None:
        self._lines = lines
        self._rules = rules
        self._pause = pause
        self._places = places or asyncio.Semaphore(PLACES)

    def without_credential(self) -> AwaitedCalls:
        """Calls on the same lines that show no credential."""
        return AwaitedCalls(self._lines, self._rules.without_credential(), self._pause, self._places)

    async def make(
        self, method: Unary[Request, Answer], request: Request, /, *, timeout: timedelta | None = None
    ) -> Answer:
        """Make a call, and repeat it where the method allows while the service is unavailable and time is left."""
        self._lines.check()
        asked = request if method.named is None else method.named(request, self._rules.randomness)
        course = self._rules.course(method.name, timeout, repeats=method.repeats)
        while True:
            outcome = await self._attempt(method, asked, course)
            if not isinstance(outcome, AuthClientError):
                course.succeeded()
                return outcome
            await self._pause(course.seconds_until_repeat(outcome))

    async def pages(
        self, pages: Pages[Request, Item], request: Request | None = None, /, *, timeout: timedelta | None = None
    ) -> AsyncIterator[Item]:
        """Read page by page, as far as it is asked for."""
        asked = pages.first(request)
        while True:
            page = await self.make(pages.page, asked, timeout=timeout)
            for item in pages.items(page):
                yield item
            if not page.next_page_token:
                return
            asked.page_token = page.next_page_token  # type: ignore[attr-defined]  # as every paged request has

    def open(
        self, method: Stream[Request, Answer], request: Request, /, *, timeout: timedelta | None = None
    ) -> AsyncUpdates[Answer]:
        """Begin a call that goes on answering."""
        seconds = None if timeout is None else positive("timeout", timeout).total_seconds()
        lease = self._lines.take()
        try:
            begin = lease.method(method.stub, method.name)
            return AsyncUpdates(begin(request, timeout=seconds, metadata=self._rules.metadata()), lease)
        except BaseException:
            lease.end()
            raise

    async def close(self) -> None:
        """Cancel all calls; whoever makes another one gets a ``ValueError``."""
        for channel in self._lines.close():
            await channel.close()

    async def _attempt(
        self, method: Unary[Request, Answer], request: Request, course: Course
    ) -> Answer | AuthClientError:
        try:
            async with asyncio.timeout(course.seconds_left() if self._places.locked() else None):
                await self._places.acquire()
        except TimeoutError:
            return no_turn()
        try:
            return await self._attempted(method, request, course)
        finally:
            self._places.release()

    async def _attempted(
        self, method: Unary[Request, Answer], request: Request, course: Course
    ) -> Answer | AuthClientError:
        # Returned, not raised, so that no frame with the credential is part of the error. CancelledError is none of
        # gRPC's errors and passes.
        lease = self._lines.take()
        try:
            call: Callable[..., Awaitable[Answer]] = lease.method(method.stub, method.name)
            return await call(request, timeout=course.seconds_left(), metadata=course.metadata())
        except grpc.RpcError as fault:
            return error_of(fault)
        finally:
            lease.end()
            await self._close_unused()

    async def _close_unused(self) -> None:
        for channel in self._lines.unused():
            await channel.close()


class AsyncUpdates(Generic[Answer]):
    """The answers of a call that goes on, each when it comes; leave it by ``cancel``, or as a context manager.

    ``StopAsyncIteration`` where the service ends it, ``AuthClientError`` where it fails; after ``cancel`` whoever still
    waits for an answer is cancelled.
    """

    def __init__(self, call: Any, lease: Lease[grpc.aio.Channel]) -> None:
        self._call = call
        self._lease = lease

    def __aiter__(self) -> AsyncIterator[Answer]:
        return self

    async def __anext__(self) -> Answer:
        try:
            outcome = await self._next()
        except asyncio.CancelledError:  # the library has ended the call
            self._lease.end()
            raise
        if not isinstance(outcome, Exception):
            return outcome
        self._lease.end()
        raise outcome

    def cancel(self) -> None:
        """End it."""
        self._call.cancel()
        self._lease.end()

    async def __aenter__(self) -> AsyncUpdates[Answer]:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cancel()

    async def _next(self) -> Answer | AuthClientError | StopAsyncIteration:
        try:
            answer: Any = await self._call.read()
        except grpc.RpcError as fault:
            return error_of(fault)
        if answer is grpc.aio.EOF:
            return StopAsyncIteration()
        update: Answer = answer
        return update
