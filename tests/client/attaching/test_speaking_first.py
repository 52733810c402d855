"""Streams whose caller speaks first, and says no more before it is answered."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from authsvc.client.attaching.interceptor import UserTokenInterceptor
from authsvc.client.attaching.kept import LIMIT
from authsvc.client.tokens.manager import TokenManager
from tests.client.attaching.calling import NEW, OLD, OWN_CHANNEL, SECONDS, give_new, talk
from tests.client.attaching.peer import Peer

PATH = "/peer.Echo/StreamStream"


@contextmanager
def channel_to(peer: Peer, provider: Any) -> Iterator[Any]:
    """A channel whose calls begin with the old token."""
    with (
        TokenManager("sara", provider, token=OLD) as tokens,
        grpc.insecure_channel(peer.target, options=OWN_CHANNEL) as plain,
    ):
        yield grpc.intercept_channel(plain, UserTokenInterceptor(tokens))


def numbered(count: int) -> list[bytes]:
    """So many messages, each unlike the others."""
    return [str(number).encode() for number in range(count)]


@pytest.mark.parametrize("count", [1, 3, LIMIT])
def test_what_was_said_is_said_again_at_once(count: int, peer: Peer) -> None:
    """The second call has it while the first still waits for more; what comes then is heard once, in its order."""
    peer.reads_first = count
    said: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    with channel_to(peer, lambda _: NEW) as channel:
        call = channel.stream_stream(PATH)(iter(said.get, None), timeout=SECONDS)
        for message in numbered(count):
            said.put(message)
        assert [next(call) for _ in range(count + 1)] == [b"hello", *numbered(count)]
        for message in (b"then", b"more"):
            said.put(message)
            assert next(call) == message
        said.put(None)
        assert list(call) == []
    assert len(peer.shown) == 2


@pytest.mark.parametrize("count", [1, 3, LIMIT])
def test_what_was_written_is_written_again_at_once(count: int, peer: Peer) -> None:
    """The same for messages that are written to an awaited call."""

    async def conversation(channel: Any) -> None:
        call = channel.stream_stream(PATH)(timeout=SECONDS)
        for message in numbered(count):
            await call.write(message)
        assert [await call.read() for _ in range(count + 1)] == [b"hello", *numbered(count)]
        for message in (b"then", b"more"):
            await call.write(message)
            assert await call.read() == message
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF

    peer.reads_first = count
    talk(peer, give_new, conversation)
    assert len(peer.shown) == 2


@pytest.mark.parametrize("count", [1, 3, LIMIT])
def test_what_an_awaited_iterator_gave_is_sent_again_at_once(count: int, peer: Peer) -> None:
    """The same for messages that are iterated."""

    async def conversation(channel: Any) -> None:
        said: asyncio.Queue[bytes] = asyncio.Queue()
        call = channel.stream_stream(PATH)(_until_empty(said), timeout=SECONDS)
        for message in numbered(count):
            said.put_nowait(message)
        assert [await call.read() for _ in range(count + 1)] == [b"hello", *numbered(count)]
        for message in (b"then", b"more", b""):
            said.put_nowait(message)
            assert await call.read() == (message or grpc.aio.EOF)

    peer.reads_first = count
    talk(peer, give_new, conversation)
    assert len(peer.shown) == 2


async def _until_empty(said: asyncio.Queue[bytes]) -> AsyncIterator[bytes]:
    while message := await said.get():
        yield message


def test_what_comes_while_the_token_is_fetched_costs_nothing(peer: Peer) -> None:
    """As many messages were kept as may be, and one more is read meanwhile: all arrive."""
    peer.reads_first, peer.may_look = LIMIT, threading.Event()
    reads, asked, taken = peer.may_look, threading.Event(), threading.Event()

    def fetch(_: str) -> str:
        asked.set()
        assert taken.wait(SECONDS)
        return NEW

    def messages() -> Iterator[bytes]:
        yield from numbered(LIMIT)
        reads.set()
        asked.wait(SECONDS)
        taken.set()
        yield b"meanwhile"

    with channel_to(peer, fetch) as channel:
        assert list(channel.stream_stream(PATH)(messages(), timeout=SECONDS)) == [
            b"hello",
            *numbered(LIMIT),
            b"meanwhile",
        ]


def test_awaited_that_costs_nothing_either(peer: Peer) -> None:
    """The same in an event loop."""

    async def conversation(channel: Any) -> None:
        async def messages() -> AsyncIterator[bytes]:
            for message in numbered(LIMIT):
                yield message
            reads.set()
            await asked.wait()
            taken.set()
            yield b"meanwhile"

        call = channel.stream_stream(PATH)(messages(), timeout=SECONDS)
        assert [answer async for answer in call] == [b"hello", *numbered(LIMIT), b"meanwhile"]

    async def fetch(_: str) -> str:
        asked.set()
        await taken.wait()
        return NEW

    peer.reads_first, peer.may_look = LIMIT, threading.Event()
    reads, asked, taken = peer.may_look, asyncio.Event(), asyncio.Event()
    talk(peer, fetch, conversation)


def test_a_stream_that_fails_does_not_end_as_if_it_were_complete(peer: Peer) -> None:
    """What the caller's iterator raises to the call that is over ends the one that took its place."""
    peer.reads_first, peer.may_look = 1, threading.Event()
    reads, answered = peer.may_look, threading.Event()

    def messages() -> Iterator[bytes]:
        yield b"one"
        reads.set()
        answered.wait(SECONDS)
        raise ValueError("the file was cut")

    with channel_to(peer, lambda _: NEW) as channel:
        call = channel.stream_stream(PATH)(messages(), timeout=SECONDS)
        assert (next(call), next(call)) == (b"hello", b"one")
        answered.set()
        with pytest.raises(grpc.RpcError):
            next(call)
        assert call.code() is grpc.StatusCode.UNKNOWN


def test_awaited_it_does_not_either(peer: Peer) -> None:
    """The same in an event loop, where gRPC cancels such a call."""

    async def conversation(channel: Any) -> None:
        answered = asyncio.Event()

        async def messages() -> AsyncIterator[bytes]:
            yield b"one"
            reads.set()
            await answered.wait()
            raise ValueError("the file was cut")

        call = channel.stream_stream(PATH)(messages(), timeout=SECONDS)
        assert [await call.read(), await call.read()] == [b"hello", b"one"]
        answered.set()
        assert await call.code() is grpc.StatusCode.CANCELLED

    peer.reads_first, peer.may_look = 1, threading.Event()
    reads = peer.may_look
    talk(peer, give_new, conversation)
