"""Calls of each kind to the peer, for callers that wait and callers that await, in the same words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc
import grpc.aio

from authsvc.client.attaching.interceptor import UserTokenInterceptor
from authsvc.client.attaching.interceptor_aio import user_token_interceptors
from authsvc.client.tokens.manager import TokenManager
from authsvc.client.tokens.manager_aio import AsyncTokenManager
from tests.client.attaching.peer import Peer
from tests.client.tokens.made import made_token

MESSAGES = [b"one", b"two", b"three"]
OWN_CHANNEL = [("grpc.use_local_subchannel_pool", 1)]
OLD, NEW = made_token("sara"), made_token("sara")
SECONDS = 20.0
Answers = list[bytes]


async def give_new(_: str) -> str:
    """A provider of the new token."""
    return NEW


def talk(peer: Peer, provider: Any, conversation: Any) -> None:
    """Hold a conversation over a channel whose callers await, and whose calls begin with the old token."""

    async def held() -> None:
        async with AsyncTokenManager("sara", provider, token=OLD) as tokens:
            interceptors = user_token_interceptors(tokens)
            async with grpc.aio.insecure_channel(peer.target, OWN_CHANNEL, interceptors=interceptors) as channel:
                await asyncio.wait_for(conversation(channel), SECONDS)

    asyncio.run(held())


class Calling:
    """Makes calls of one kind of channel; ``tokens`` are what a manager of that kind takes."""

    def __init__(self, target: str) -> None:
        self.target = target

    def make(self, kind: str, *who: Any, messages: Sequence[bytes] = MESSAGES, **tokens: Any) -> Answers:
        """Make one call, with all its messages; all its answers."""
        raise NotImplementedError

    def together(self, count: int, *who: Any, **tokens: Any) -> list[Answers]:
        """As many calls of one message at once, by one manager."""
        raise NotImplementedError


class Waiting(Calling):
    """For callers that wait."""

    def make(
        self,
        kind: str,
        *who: Any,
        messages: Sequence[bytes] = MESSAGES,
        metadata: Any = None,
        timeout: float = 20,
        options: Any = None,
        **tokens: Any,
    ) -> Answers:
        with TokenManager(*who, **tokens) as manager:
            interceptor = UserTokenInterceptor(manager, **(options or {}))
            with grpc.insecure_channel(self.target, options=OWN_CHANNEL) as plain:
                channel: Any = grpc.intercept_channel(plain, interceptor)
                return call(channel, kind, messages, metadata=metadata, timeout=timeout)

    def together(self, count: int, *who: Any, **tokens: Any) -> list[Answers]:
        with (
            TokenManager(*who, **tokens) as manager,
            grpc.insecure_channel(self.target, options=OWN_CHANNEL) as plain,
        ):
            channel: Any = grpc.intercept_channel(plain, UserTokenInterceptor(manager))
            method = channel.unary_unary("/peer.Echo/UnaryUnary")
            calls = [method.future(str(number).encode(), timeout=20) for number in range(count)]
            return [[each.result()] for each in calls]


class Awaiting(Calling):
    """For callers that await."""

    def make(
        self,
        kind: str,
        *who: Any,
        messages: Sequence[bytes] = MESSAGES,
        metadata: Any = None,
        timeout: float = 20,
        options: Any = None,
        **tokens: Any,
    ) -> Answers:
        async def made() -> Answers:
            async with AsyncTokenManager(*who, **tokens) as manager:
                interceptors = user_token_interceptors(manager, **(options or {}))
                channel = grpc.aio.insecure_channel(self.target, OWN_CHANNEL, interceptors=interceptors)
                async with channel:
                    return await awaited_call(channel, kind, messages, metadata=metadata, timeout=timeout)

        return asyncio.run(made())

    def together(self, count: int, *who: Any, **tokens: Any) -> list[Answers]:
        async def made() -> list[Answers]:
            async with AsyncTokenManager(*who, **tokens) as manager:
                interceptors = user_token_interceptors(manager)
                async with grpc.aio.insecure_channel(self.target, OWN_CHANNEL, interceptors=interceptors) as channel:
                    method: Any = channel.unary_unary("/peer.Echo/UnaryUnary")
                    calls = [method(str(number).encode(), timeout=20) for number in range(count)]
                    return [[await each] for each in calls]

        return asyncio.run(made())


def call(channel: Any, kind: str, messages: Sequence[bytes], **options: Any) -> Answers:
    """One call on a channel whose callers wait."""
    path = f"/peer.Echo/{kind}"
    if kind == "UnaryUnary":
        return [channel.unary_unary(path)(messages[0], **options)]
    if kind == "StreamUnary":
        return [channel.stream_unary(path)(iter(messages), **options)]
    if kind == "UnaryStream":
        return list(channel.unary_stream(path)(messages[0], **options))
    return list(channel.stream_stream(path)(iter(messages), **options))


async def awaited_call(channel: Any, kind: str, messages: Sequence[bytes], **options: Any) -> Answers:
    """One call on a channel whose callers await."""
    path = f"/peer.Echo/{kind}"
    if kind == "UnaryUnary":
        return [await channel.unary_unary(path)(messages[0], **options)]
    if kind == "StreamUnary":
        return [await channel.stream_unary(path)(later(messages), **options)]
    if kind == "UnaryStream":
        return [answer async for answer in channel.unary_stream(path)(messages[0], **options)]
    return [answer async for answer in channel.stream_stream(path)(later(messages), **options)]


async def later(messages: Sequence[bytes]) -> AsyncIterator[bytes]:
    """The messages as fast as they are taken."""
    for message in messages:
        yield message


KINDS_OF_CHANNEL: dict[str, Callable[[str], Calling]] = {"waiting": Waiting, "awaiting": Awaiting}
