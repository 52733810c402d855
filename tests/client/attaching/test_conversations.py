"""Streams as callers use them: written to and read from in turns, cancelled, looked at."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Coroutine, Iterator
from typing import Any

import grpc
import grpc.aio
import pytest

from authsvc.client.attaching.interceptor import UserTokenInterceptor
from authsvc.client.tokens.manager import TokenManager
from tests.client.attaching.calling import NEW, OLD, OWN_CHANNEL, SECONDS, give_new, talk
from tests.client.attaching.peer import Peer


@pytest.fixture
def channel(peer: Peer) -> Iterator[Any]:
    """A channel whose calls begin with the old token."""
    with (
        TokenManager("sara", lambda _: NEW, token=OLD) as tokens,
        grpc.insecure_channel(peer.target, options=OWN_CHANNEL) as plain,
    ):
        yield grpc.intercept_channel(plain, UserTokenInterceptor(tokens))


def test_a_conversation_goes_on_with_the_next_token(peer: Peer, channel: Any) -> None:
    """What the caller says, message by message as answers come, reaches the second call."""
    said: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    call = channel.stream_stream("/peer.Echo/StreamStream")(iter(said.get, None), timeout=SECONDS)
    assert next(call) == b"hello"
    for message in (b"one", b"two"):
        said.put(message)
        assert next(call) == message
    said.put(None)
    assert list(call) == []
    assert (call.code(), call.is_active(), len(peer.shown)) == (grpc.StatusCode.OK, False, 2)


def test_an_awaited_conversation_goes_on_with_the_next_token(peer: Peer) -> None:
    """The same, written and read."""

    async def conversation(channel: Any) -> None:
        call = channel.stream_stream("/peer.Echo/StreamStream")(timeout=SECONDS)
        assert await call.read() == b"hello"
        for message in (b"one", b"two"):
            await call.write(message)
            assert await call.read() == message
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK

    talk(peer, give_new, conversation)
    assert len(peer.shown) == 2


def test_who_only_writes_is_heard_by_the_second_call(peer: Peer) -> None:
    """Nobody reads while the first call is refused: its place is taken all the same."""

    async def conversation(channel: Any) -> None:
        call = channel.stream_unary("/peer.Echo/StreamUnary")(timeout=SECONDS)
        for message in (b"one", b"two", b"three"):
            await call.write(message)
        await call.done_writing()
        assert await call == b"one two three"
        assert await call.details() == ""

    peer.reads_first = 1
    talk(peer, give_new, conversation)
    assert len(peer.shown) == 2


def test_the_end_of_a_stream_is_that_of_the_second_call(peer: Peer) -> None:
    """Its status, text and trailers, also for who asks before reading."""

    async def conversation(channel: Any) -> None:
        call = channel.unary_stream("/peer.Echo/UnaryStream")(b"one", timeout=SECONDS)
        done: list[Any] = []
        call.add_done_callback(done.append)
        assert [answer async for answer in call] == [b"hello", b"one", b"one"]
        assert (await call.code(), await call.details()) == (grpc.StatusCode.OK, "")
        assert tuple(await call.trailing_metadata()) == ()
        await call.wait_for_connection()

    talk(peer, give_new, conversation)


def test_a_cancelled_stream_stays_cancelled(peer: Peer, channel: Any) -> None:
    """Nothing is made again for who no longer wants it."""

    async def conversation(channel: Any) -> None:
        call = channel.stream_stream("/peer.Echo/StreamStream")(timeout=SECONDS)
        assert await call.read() == b"hello"
        call.cancel()
        assert await call.code() is grpc.StatusCode.CANCELLED
        assert call.cancelled()
        with pytest.raises((asyncio.CancelledError, grpc.aio.AioRpcError)):
            await call.read()

    talk(peer, give_new, conversation)
    silent: queue.SimpleQueue[None] = queue.SimpleQueue()
    call = channel.stream_stream("/peer.Echo/StreamStream")(iter(silent.get, None), timeout=SECONDS)
    assert next(call) == b"hello"
    call.cancel()
    with pytest.raises(grpc.RpcError):
        next(call)
    assert call.code() is grpc.StatusCode.CANCELLED
    silent.put(None)


def test_a_cancelled_call_ends_the_one_beneath(peer: Peer) -> None:
    """Whoever cancels while the interceptor waits for the end cancels the call itself."""

    async def conversation(channel: Any) -> None:
        call = channel.unary_unary("/peer.Echo/UnaryUnary")(b"one", timeout=SECONDS)
        waiting: Coroutine[Any, Any, Any] = _answer(call)
        task = asyncio.create_task(waiting)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    talk(peer, give_new, conversation)


async def _answer(call: Any) -> Any:
    return await call


def test_a_stream_is_a_call_like_any_other(channel: Any) -> None:
    """What else callers do with one: ask for its time, its metadata and its text, and be told of its end."""
    ended: queue.SimpleQueue[str] = queue.SimpleQueue()
    call = channel.unary_stream("/peer.Echo/UnaryStream")(b"one", timeout=SECONDS)
    assert next(iter(call)) == b"hello"
    assert call.add_callback(lambda: ended.put("told"))
    assert 0 < call.time_remaining() <= SECONDS
    assert list(call) == [b"one", b"one"]
    assert ended.get(timeout=SECONDS) == "told"
    assert (tuple(call.initial_metadata()), tuple(call.trailing_metadata()), call.details()) == ((), (), "")
