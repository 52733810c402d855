"""Somebody's own service with a method of each kind, served by threads or by tasks, behind the interceptor."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio

from authsvc.client import (
    AsyncAuthClient,
    AsyncTokenAuthInterceptor,
    AsyncTokenVerifier,
    AuthClient,
    Rule,
    TokenAuthInterceptor,
    TokenVerifier,
    current_token,
)
from tests.conftest import RunningServer

KINDS = ("UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream")
RULES = {
    "/shop.Orders/*": Rule(),
    "/shop.Calls/*": Rule(call_cid=bytes.decode),
    "/shop.Channels/*": Rule(channel_cid=bytes.decode),
    "/shop.Staff/*": Rule(any_role_of=["editor", "admin"]),
    "/shop.Meant/*": Rule(audience="shop"),
    "/shop.Open/*": Rule(open=True),
}
Serve = Callable[..., AbstractContextManager[str]]
"""Runs a shop whose verifier follows that server; gives its target."""


def who() -> bytes:
    """Whom the call speaks for."""
    try:
        return current_token().user_id.encode()
    except LookupError:
        return b"nobody"


class Waiting(grpc.GenericRpcHandler):
    """The methods as plain functions."""

    def service(self, call_details: grpc.HandlerCallDetails) -> Any:
        """By kind; there is no method of another name."""
        return _handler(call_details, self)

    def unary_unary(self, request: bytes, context: Any) -> bytes:
        return who() + b" " + request

    def unary_stream(self, request: bytes, context: Any) -> Iterator[bytes]:
        yield who()
        yield who() + b" " + request

    def stream_unary(self, requests: Iterator[bytes], context: Any) -> bytes:
        return who() + b" " + b" ".join(requests)

    def stream_stream(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for request in requests:
            yield who() + b" " + request


class Awaiting(grpc.GenericRpcHandler):
    """The methods as coroutines, one of each kind of stream by ``context.read`` and one by iterating."""

    def service(self, call_details: grpc.HandlerCallDetails) -> Any:
        """By kind; there is no method of another name."""
        return _handler(call_details, self)

    async def unary_unary(self, request: bytes, context: Any) -> bytes:
        await asyncio.sleep(0)
        return who() + b" " + request

    async def unary_stream(self, request: bytes, context: Any) -> None:
        await context.write(who())
        await context.write(who() + b" " + request)

    async def stream_unary(self, requests: AsyncIterator[bytes], context: Any) -> bytes:
        read = []
        while (message := await context.read()) is not grpc.aio.EOF:
            read.append(message)
        return who() + b" " + b" ".join(read)

    async def stream_stream(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield who() + b" " + request


def _handler(call_details: grpc.HandlerCallDetails, methods: Any) -> Any:
    made: dict[str, tuple[Callable[..., Any], Any]] = {
        "UnaryUnary": (grpc.unary_unary_rpc_method_handler, methods.unary_unary),
        "UnaryStream": (grpc.unary_stream_rpc_method_handler, methods.unary_stream),
        "StreamUnary": (grpc.stream_unary_rpc_method_handler, methods.stream_unary),
        "StreamStream": (grpc.stream_stream_rpc_method_handler, methods.stream_stream),
    }
    kind = call_details.method.rpartition("/")[2]
    return made[kind][0](made[kind][1]) if kind in made else None


@contextmanager
def threads(server: RunningServer, rules: Any = RULES, log_options: Any = None, **options: Any) -> Iterator[str]:
    """A shop whose methods run in threads."""
    parts = {"clock": server.clock, "max_staleness": timedelta(hours=1), **options}
    with (
        AuthClient(server.target, server.credential, log_options=log_options) as client,
        TokenVerifier(client, "dev", **parts) as verifier,
    ):
        guard = TokenAuthInterceptor(verifier, rules)
        shop = grpc.server(ThreadPoolExecutor(4), handlers=[Waiting()], interceptors=[guard])
        port = shop.add_insecure_port("127.0.0.1:0")
        shop.start()
        yield f"127.0.0.1:{port}"
        shop.stop(grace=0).wait()


@contextmanager
def tasks(server: RunningServer, rules: Any = RULES, log_options: Any = None, **options: Any) -> Iterator[str]:
    """A shop whose methods are awaited, in the event loop of a thread."""
    parts = {"clock": server.clock, "max_staleness": timedelta(hours=1), **options}
    loop, ready, over, targets = asyncio.new_event_loop(), threading.Event(), asyncio.Event(), list[str]()

    async def run() -> None:
        async with (
            AsyncAuthClient(server.target, server.credential, log_options=log_options) as client,
            AsyncTokenVerifier(client, "dev", **parts) as verifier,
        ):
            shop = grpc.aio.server(interceptors=[AsyncTokenAuthInterceptor(verifier, rules)])
            shop.add_generic_rpc_handlers((Awaiting(),))
            targets.append(f"127.0.0.1:{shop.add_insecure_port('127.0.0.1:0')}")
            await shop.start()
            ready.set()
            await over.wait()
            await shop.stop(grace=0)

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert ready.wait(30)
    yield targets[0]
    loop.call_soon_threadsafe(over.set)
    thread.join(30)
    loop.close()


SHOPS: dict[str, Serve] = {"threads": threads, "tasks": tasks}


class Shopper:
    """Calls a shop with a token, or without."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def __call__(
        self, service: str, token: str | None = None, *, kind: str = "UnaryUnary", say: bytes = b"one", **options: Any
    ) -> bytes:
        """All answers to a call that says something once, or twice where it may."""
        if token is not None:
            options.setdefault("metadata", [("authorization", f"Bearer {token}")])
        path, timeout = f"/shop.{service}/{kind}", 30
        if kind == "UnaryUnary":
            return bytes(self._channel.unary_unary(path)(say, timeout=timeout, **options))
        if kind == "StreamUnary":
            return bytes(self._channel.stream_unary(path)(iter([say, say]), timeout=timeout, **options))
        if kind == "UnaryStream":
            return b"|".join(self._channel.unary_stream(path)(say, timeout=timeout, **options))
        return b"|".join(self._channel.stream_stream(path)(iter([say, say]), timeout=timeout, **options))
