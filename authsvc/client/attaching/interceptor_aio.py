"""``user_token_interceptors``: the user's token on every call of a channel whose callers await."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc
import grpc.aio

from authsvc.client.attaching.calls_aio import RenewedStreamStream, RenewedStreamUnary, RenewedUnaryStream
from authsvc.client.attaching.details import (
    PLACEMENT,
    AwaitedTokens,
    CallDetails,
    Course,
    Placement,
    checked_placement,
    code_of,
)
from authsvc.client.attaching.ended import End
from authsvc.client.attaching.kept import OneMessage, Sent
from authsvc.client.attaching.refusals import refusal_of
from authsvc.client.attaching.replay import AwaitedReplay
from authsvc.client.errors import AuthClientError

Start: TypeAlias = Callable[[CallDetails], Awaitable[Any]]
"""Makes an attempt."""


def user_token_interceptors(
    tokens: AwaitedTokens, *, placement: Placement = PLACEMENT
) -> list[grpc.aio.ClientInterceptor]:
    """What ``grpc.aio.insecure_channel(target, interceptors=…)`` takes, one for each kind of method.

    They do what ``UserTokenInterceptor`` does. Without a token a call ends with ``grpc.aio.AioRpcError``, whose
    ``__cause__`` is the ``TokenError``.
    """
    attaching = _Attaching(tokens, placement)
    return [_UnaryUnary(attaching), _UnaryStream(attaching), _StreamUnary(attaching), _StreamStream(attaching)]


class _Attaching:
    """What the four have in common."""

    def __init__(self, tokens: AwaitedTokens, placement: Placement) -> None:
        self._tokens = tokens
        self._placement = checked_placement(placement)

    def course(self, details: Any) -> Course:
        """One call."""
        return Course(details, self._placement, lambda sent: grpc.aio.Metadata(*sent))

    async def token(self, course: Course) -> str:
        """The token of the first attempt."""
        try:
            return await self._tokens.token(timeout=course.patience)
        except AuthClientError as error:
            nothing = grpc.aio.Metadata()
            raise grpc.aio.AioRpcError(code_of(error), nothing, nothing, details=str(error)) from error

    async def again(self, ended: Any, course: Course, start: Start, sent: Sent, token: str) -> Any:
        """The same call with the next token; None where that would not help, or there is none."""
        status = refusal_of(ended)
        if status is None or course.is_over or not sent.hand_on():
            return None
        try:
            renewed = await self._tokens.renewed(token, status, timeout=course.patience)
        except AuthClientError:  # the caller is told what the peer said
            return None
        return await start(course.with_token(renewed))

    async def long(self, kind: Any, details: Any, start: Start, sent: Sent) -> Any:
        """A call that streams in one way at least."""
        course = self.course(details)
        if course.has_its_own:
            sent.settle()
            return await start(details)
        token = await self.token(course)
        call = await start(course.with_token(token))
        return kind(call, lambda ended: self.again(ended, course, start, sent, token), sent)


class _UnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, attaching: _Attaching) -> None:
        self._attaching = attaching

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        course = self._attaching.course(client_call_details)
        if course.has_its_own:
            return await continuation(client_call_details, request)
        token = await self._attaching.token(course)
        call = await continuation(course.with_token(token), request)
        try:
            ended = await End(call).wait()
        except asyncio.CancelledError:
            call.cancel()
            raise
        second = await self._attaching.again(
            ended, course, lambda details: continuation(details, request), OneMessage(), token
        )
        return call if second is None else second


class _UnaryStream(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, attaching: _Attaching) -> None:
        self._attaching = attaching

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await self._attaching.long(
            RenewedUnaryStream, client_call_details, lambda details: continuation(details, request), OneMessage()
        )


class _StreamUnary(grpc.aio.StreamUnaryClientInterceptor):
    def __init__(self, attaching: _Attaching) -> None:
        self._attaching = attaching

    async def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        replay = AwaitedReplay(request_iterator)
        return await self._attaching.long(
            RenewedStreamUnary,
            client_call_details,
            lambda details: continuation(details, replay.messages()),
            replay,
        )


class _StreamStream(grpc.aio.StreamStreamClientInterceptor):
    def __init__(self, attaching: _Attaching) -> None:
        self._attaching = attaching

    async def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        replay = AwaitedReplay(request_iterator)
        return await self._attaching.long(
            RenewedStreamStream,
            client_call_details,
            lambda details: continuation(details, replay.messages()),
            replay,
        )
