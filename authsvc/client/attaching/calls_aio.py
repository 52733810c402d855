"""Awaited calls that stream, and may begin anew with another token as long as no answer was delivered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any, NoReturn

import grpc
import grpc.aio

from authsvc.client.attaching.ended import End, EndedCall, given_up
from authsvc.client.attaching.kept import Sent


class _Renewed(grpc.aio.Call):
    """Stands for the call that is under way: the first, or the one that took its place.

    ``again`` makes the call anew, or gives None; ``sent`` is told when that can no longer happen, and of the end. A
    task waits for the end of the first call, because the caller may only be writing. Given up, the call is so for good,
    also while it is being made anew.
    """

    _done_writing_flag = False  # looked at by the part of gRPC that passes a caller's writes on

    def __init__(self, call: Any, again: Callable[[Any], Coroutine[Any, Any, Any]], sent: Sent) -> None:
        self._call = call
        self._again = again
        self._sent = sent
        self._settled = False
        self._given_up = False  # between the first call and the second, when there was none to cancel
        self._first_end = End(call)
        self._renewing: asyncio.Task[Any] | None = None
        self._watch = asyncio.get_running_loop().create_task(self._follow())
        self._turned = asyncio.get_running_loop().create_future()

    async def _follow(self) -> EndedCall:
        """Wait for the end; in between put another call in the place of the first."""
        try:
            ended = await self._first_end.wait()
            second = await self._second(ended)
            if second is not None:
                end, self._call = End(second), second
                self._settle_for_good()
                if self._given_up:
                    second.cancel()
                ended = await end.wait()
            return given_up() if self._given_up else ended
        finally:
            self._settle_for_good()
            self._sent.close()

    async def _second(self, ended: EndedCall) -> Any:
        if self._settled or ended.code() is not grpc.StatusCode.UNAUTHENTICATED:
            return None
        self._renewing = asyncio.get_running_loop().create_task(self._again(ended))
        try:
            return await self._renewing
        except asyncio.CancelledError:
            if not self._given_up:
                raise
            return None

    def _settle_for_good(self) -> None:
        self._settled = True
        if not self._turned.done():
            self._turned.set_result(None)

    async def _end(self) -> EndedCall:
        return await asyncio.shield(self._watch)

    async def _raise_end(self) -> NoReturn:
        ended = await self._end()
        if self._given_up:
            raise asyncio.CancelledError  # as gRPC tells who has cancelled a call
        raise ended.error() from None

    async def _last_call(self) -> Any:
        """The call that is not made again; whoever is cancelled while waiting for it gives it up, as with any call."""
        if not self._settled:
            try:
                await asyncio.shield(self._turned)
            except asyncio.CancelledError:
                self.cancel()
                raise
        return self._call

    def _delivered(self) -> None:
        if not self._settled:
            self._sent.settle()
            self._settle_for_good()

    def cancel(self) -> bool:
        """Give it up, unless it is done: what is under way is cancelled, and it is not made again."""
        cancelled: bool = self._call.cancel()
        if not cancelled and not self._settled:
            self._given_up = cancelled = True
            if self._renewing is not None:
                self._renewing.cancel()
        self._settled = True
        return cancelled

    def cancelled(self) -> bool:
        """Whether it was given up, or cancelled by the peer."""
        return self._given_up or bool(self._call.cancelled())

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
        except asyncio.CancelledError:
            self.cancel()  # gRPC has cancelled this one, but it may have ended before, and be made again
            raise
        except grpc.aio.AioRpcError:
            if await self._last_call() is call:
                await self._raise_end()
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
            await self._raise_end()
