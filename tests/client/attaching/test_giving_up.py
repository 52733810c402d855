"""Calls that their caller gives up, while they run or while their next token is fetched."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio
import pytest

from authsvc.client.attaching.interceptor import UserTokenInterceptor
from authsvc.client.attaching.pending import PendingCall
from authsvc.client.attaching.stream import RenewedStream
from authsvc.client.tokens.manager import TokenManager
from tests.client.attaching.calling import NEW, OLD, OWN_CHANNEL, SECONDS, talk
from tests.client.attaching.peer import Peer

CANCELLED = grpc.StatusCode.CANCELLED


@pytest.fixture
def plain(peer: Peer) -> Iterator[Any]:
    """A channel to it."""
    with grpc.insecure_channel(peer.target, options=OWN_CHANNEL) as channel:
        yield channel


@pytest.fixture
def silent() -> Iterator[Any]:
    """Messages of a caller that says nothing until the test is over."""
    said: queue.SimpleQueue[None] = queue.SimpleQueue()
    yield iter(said.get, None)
    said.put(None)


class Slow:
    """A provider that gives the new token when it is let go."""

    def __init__(self) -> None:
        self.asked, self.may_go = threading.Event(), threading.Event()

    def __call__(self, _: str) -> str:
        self.asked.set()
        self.may_go.wait(SECONDS)
        return NEW


class Hanging:
    """An awaited provider that never gives a token, and knows when it is asked."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def __call__(self, _: str) -> str:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody lets it go")


def join_renewals() -> None:
    """Wait until no renewal is under way in a thread."""
    for thread in threading.enumerate():
        if thread.name == "authsvc-client-call":
            thread.join(SECONDS)
            assert not thread.is_alive()


def test_a_stream_given_up_meanwhile_is_not_made_again(peer: Peer, plain: Any, silent: Any) -> None:
    """Whoever reads is told while the token is still being fetched; the call after it is the second that is seen."""
    slow = Slow()
    with TokenManager("sara", slow, token=OLD) as tokens, ThreadPoolExecutor(1) as pool:
        channel: Any = grpc.intercept_channel(plain, UserTokenInterceptor(tokens))
        call = channel.stream_stream("/peer.Echo/StreamStream")(silent, timeout=SECONDS)
        reading = pool.submit(next, call)
        assert slow.asked.wait(SECONDS)
        assert call.cancel()
        told: Any = reading.exception(SECONDS)
        slow.may_go.set()
        assert told.code() is call.code() is CANCELLED
        assert (call.is_active(), call.details(), tuple(call.trailing_metadata())) == (False, told.details(), ())
        with pytest.raises(grpc.RpcError):
            next(call)
        join_renewals()
        assert peer.shown == [f"Bearer {OLD}"]
        assert channel.unary_unary("/peer.Echo/UnaryUnary")(b"one", timeout=SECONDS) == b"one"
        assert len(peer.shown) == 2


@pytest.mark.parametrize("moment", ["before it is made", "as it is made"])
def test_a_second_call_that_comes_too_late_is_cancelled(moment: str, plain: Any, peer: Peer, silent: Any) -> None:
    """In whatever moment the caller gives up, nothing goes on behind its back."""
    made: list[Any] = []

    def again(_: Any) -> Any:
        if moment == "before it is made":
            stream.cancel()
        return make

    def make() -> Any:
        metadata = [("authorization", f"Bearer {NEW}")]
        made.append(plain.stream_stream("/peer.Echo/StreamStream")(silent, metadata=metadata, timeout=SECONDS))
        assert next(made[0]) == b"hello"
        stream.cancel()
        return made[0]

    first = plain.stream_stream("/peer.Echo/StreamStream")(iter(()), timeout=SECONDS)
    stream = RenewedStream(first, again, lambda: None, lambda work: work())
    with pytest.raises(grpc.RpcError):
        next(stream)
    assert stream.code() is CANCELLED
    assert [call.code() for call in made] == ([] if moment == "before it is made" else [CANCELLED])


def test_who_waits_for_a_future_is_told_at_once(peer: Peer, plain: Any) -> None:
    """A cancel does not wait for the token: callbacks are called while it is still being fetched."""
    slow, over = Slow(), threading.Event()
    with TokenManager("sara", slow, token=OLD) as tokens, ThreadPoolExecutor(1) as pool:
        channel: Any = grpc.intercept_channel(plain, UserTokenInterceptor(tokens))
        pending = channel.unary_unary("/peer.Echo/UnaryUnary").future(b"one", timeout=SECONDS)
        pending.add_done_callback(lambda _: over.set())
        assert slow.asked.wait(SECONDS)
        waiting = pool.submit(pending.result)
        assert pending.cancel()
        assert over.wait(SECONDS)
        assert isinstance(waiting.exception(SECONDS), grpc.FutureCancelledError)
        assert (pending.done(), pending.cancelled(), pending.code()) == (True, True, CANCELLED)
        slow.may_go.set()
        join_renewals()
    assert peer.shown == [f"Bearer {OLD}"]


def test_who_waits_for_a_future_that_fails_is_told(plain: Any, peer: Peer) -> None:
    """Where no second call can be made, nor a thread be had for it: callbacks are called, and waiting ends."""

    def spawn(_: Any) -> None:
        raise RuntimeError("can't start new thread")

    def closed(_: Any) -> Any:
        raise ValueError("Cannot invoke RPC on closed channel!")

    for again, start, fault in ((closed, lambda work: work(), ValueError), (closed, spawn, RuntimeError)):
        over = threading.Event()
        pending = PendingCall(plain.unary_unary("/peer.Echo/UnaryUnary").future(b"one"), again, start)
        pending.add_done_callback(lambda _, over=over: over.set())  # type: ignore[misc]
        with pytest.raises(fault):
            pending.result(SECONDS)
        assert over.wait(SECONDS)
        assert pending.done()


def test_an_awaited_stream_given_up_meanwhile_ends_at_once(peer: Peer) -> None:
    """Nobody waits for the token any more, the caller's messages are closed, and the call is not made again."""

    async def conversation(channel: Any) -> None:
        closed = asyncio.Event()

        async def messages() -> AsyncIterator[bytes]:
            try:
                await asyncio.Event().wait()
                yield b"never"
            finally:
                closed.set()

        call = channel.stream_stream("/peer.Echo/StreamStream")(messages(), timeout=SECONDS)
        reading = asyncio.ensure_future(call.read())
        await hanging.asked.wait()
        assert call.cancel()
        assert (call.cancelled(), await call.code(), await call.details()) == (
            True,
            CANCELLED,
            "given up by the caller",
        )
        with pytest.raises(asyncio.CancelledError):  # as gRPC has it
            await reading
        await closed.wait()
        assert not call.cancel()

    hanging = Hanging()
    talk(peer, hanging, conversation)
    assert peer.shown == [f"Bearer {OLD}"]


@pytest.mark.parametrize("kind", ["StreamUnary", "StreamStream"])
def test_a_cancelled_task_gives_up_its_call(kind: str, peer: Peer) -> None:
    """Whether the call runs or its next token is fetched: as behind no interceptor, what nobody awaits has ended."""

    async def conversation(channel: Any) -> None:
        hanging.asked.clear()
        method = channel.stream_unary if kind == "StreamUnary" else channel.stream_stream
        call = method(f"/peer.Echo/{kind}")(timeout=SECONDS)
        task = asyncio.ensure_future(_awaited(call, kind))
        await (call.wait_for_connection() if peer.reads_first else hanging.asked.wait())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await call.code() is CANCELLED
        assert call.cancelled()

    hanging = Hanging()
    for peer.reads_first in (0, 1):
        talk(peer, hanging, conversation)


async def _awaited(call: Any, kind: str) -> Any:
    return await (call if kind == "StreamUnary" else call.read())
