"""Awaited calls that stream, and may begin anew with another token as long as no answer was delivered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, NoReturn

import grpc
import grpc.aio

from authsvc.client.attaching.ended import End, EndedCall


class _Renewed(grpc.aio.Call):
    """Stands for the call that is under way: the first, or the one that took its place.

    ``again`` makes the call anew, or gives None. ``settle`` is called when that can no longer happen. A task waits for
    the end of the first call, because the caller may only be writing.
    """

    _done_writing_flag = False  # looked at by the part of gRPC that passes a caller's writes on

    def __init__(self, call: Any, again: Callable[[Any], Awaitable[Any]], settle: Callable[[], None]) -> None:
        self._call = call
        self._again = again
        self._settle = settle
        self._settled = False
        self._given_up = False
        self._first_end = End(call)
        self._watch = asyncio.get_running_loop().create_task(self._follow())
        self._turned = asyncio.get_running_loop().create_future()

    async def _follow(self) -> EndedCall:
        """Wait for the end; in between put another call in the place of the first."""
        end: End | None = None
        ended = await self._first_end.wait()
        try:
            second = None if self._settled else await self._again(ended)
            if second is not None:
                end, self._call = End(second), second
                if self._given_up:
                    second.cancel()
        finally:
            self._settle_for_good()
        return ended if end is None else await end.wait()

    def _settle_for_good(self) -> None:
        self._settled = True
        if not self._turned.done():
            self._turned.set_result(None)

    async def _end(self) -> EndedCall:
        return await asyncio.shield(self._watch)

    async def _last_call(self) -> Any:
        """The call that is not made again."""
        if not self._settled:
            await asyncio.shield(self._turned)
        return self._call

    def _delivered(self) -> None:
        if not self._settled:
            self._settle()
            self._settle_for_good()

    def cancel(self) -> bool:
        """As of the call."""
        self._settled = self._given_up = True
        cancelled: bool = self._call.cancel()
        return cancelled

    def cancelled(self) -> bool:
        """As of the call."""
        cancelled: bool = self._call.cancelled()
        return cancelled

    def done(self) -> bool:
        """Whether the end has come, of the call that is not made again."""
        return self._watch.done()

    def add_done_callback(self, callback: Any) -> None:
        """Call it with this call when it is done."""
        self._watch.add_done_callback(lambda _: callback(self))

    def time_remaining(self) -> Any:
        """As of the call."""
        return self._call.time_remaining()

    async def code(self) -> grpc.StatusCode:
        """As of the call that is not made again."""
        return (await self._end()).code()

    async def details(self) -> Any:
        """As of the call that is not made again."""
        return (await self._end()).details()

    async def initial_metadata(self) -> Any:
        """As of the call."""
        return await self._call.initial_metadata()

    async def trailing_metadata(self) -> Any:
        """As of the call that is not made again."""
        return (await self._end()).trailing_metadata()

    async def wait_for_connection(self) -> None:
        """As of the call."""
        await self._call.wait_for_connection()

    async def write(self, request: Any) -> NoReturn:  # noqa: ARG002 - never called: the messages come as an iterator
        """What a caller writes reaches the call as an iterator."""
        raise grpc.aio.UsageError("the messages of this call come from an iterator")

    async def done_writing(self) -> NoReturn:
        """What a caller writes reaches the call as an iterator."""
        raise grpc.aio.UsageError("the messages of this call come from an iterator")


class _ManyAnswers(_Renewed):
    """With a stream of answers."""

    async def read(self) -> Any:
        """The next answer, or ``grpc.aio.EOF``."""
        call = self._call
        try:
            message = await call.read()
        except grpc.aio.AioRpcError:
            if await self._last_call() is call:
                raise (await self._end()).error() from None
            return await self.read()
        self._delivered()
        return message

    async def _messages(self) -> AsyncIterator[Any]:
        while (message := await self.read()) is not grpc.aio.EOF:
            yield message

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._messages()


class RenewedUnaryStream(_ManyAnswers, grpc.aio.UnaryStreamCall[Any, Any]):
    """One message, many answers."""


class RenewedStreamStream(_ManyAnswers, grpc.aio.StreamStreamCall[Any, Any]):
    """Many messages, many answers."""


class RenewedStreamUnary(_Renewed, grpc.aio.StreamUnaryCall[Any, Any]):
    """Many messages, one answer."""

    def __await__(self) -> Generator[Any, None, Any]:
        return self._answer().__await__()

    async def _answer(self) -> Any:
        call = await self._last_call()
        try:
            return await call
        except grpc.aio.AioRpcError:
            raise (await self._end()).error() from None
