"""Methods that the library treats in a way of their own, behind the interceptor."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from authsvc.client import AsyncTokenAuthInterceptor, AuthClient, Rule, TokenAuthInterceptor, TokenVerifier
from tests.client.guarding.conftest import Tokens
from tests.client.guarding.shop import Shopper, tasks
from tests.conftest import RunningServer
from tests.refusals import refusal_of

WATCH, CHECK = "/grpc.health.v1.Health/Watch", "/grpc.health.v1.Health/Check"


@contextmanager
def health_behind(server: RunningServer, client: AuthClient, rules: dict[str, Rule]) -> Iterator[Any]:
    """A health service on a pool of one thread, whose ``Watch`` holds none."""
    with TokenVerifier(client, "dev", clock=server.clock, max_staleness=timedelta(hours=1)) as verifier:
        verifier.wait_ready()
        shop = grpc.server(ThreadPoolExecutor(1), interceptors=[TokenAuthInterceptor(verifier, rules)])
        servicer = health.HealthServicer(experimental_non_blocking=True)
        servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, shop)
        port = shop.add_insecure_port("127.0.0.1:0")
        shop.start()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield health_pb2_grpc.HealthStub(channel)
        shop.stop(grace=0).wait()


def test_a_stream_that_holds_no_thread_still_holds_none(
    server: RunningServer, client: AuthClient, token: Tokens
) -> None:
    """Two watchers and a call share the only thread; without a token the stream is refused."""
    request, metadata = health_pb2.HealthCheckRequest(), [("authorization", f"Bearer {token()}")]
    with health_behind(server, client, {WATCH: Rule(), CHECK: Rule(open=True)}) as stub:
        watchers = [stub.Watch(request, metadata=metadata, timeout=30) for _ in range(2)]
        serving = health_pb2.HealthCheckResponse.SERVING
        assert [next(watcher).status for watcher in watchers] == [serving] * 2
        assert stub.Check(request, timeout=30).status == serving
        assert refusal_of(lambda: list(stub.Watch(request, timeout=30))).reason == "TOKEN_MISSING"
        for watcher in watchers:
            watcher.cancel()


def test_a_plain_function_is_not_awaited(server: RunningServer, token: Tokens) -> None:
    """Where methods are awaited it is not called at all: nothing runs that nobody has checked."""
    called: list[bytes] = []

    class Plain(grpc.GenericRpcHandler):
        def service(self, call_details: grpc.HandlerCallDetails) -> Any:
            return grpc.unary_unary_rpc_method_handler(lambda request, _: called.append(request))

    async def continuation(details: Any) -> Any:
        return Plain().service(details)

    class Details:
        method = "/shop.Orders/UnaryUnary"
        invocation_metadata = (("authorization", f"Bearer {token()}"),)

    class Nobody:
        async def verify(self, _: str, **questions: Any) -> Any:
            raise AssertionError("it is not asked")

    interceptor = AsyncTokenAuthInterceptor(Nobody(), {"*": Rule()})
    with pytest.raises(TypeError, match="make it async"):
        asyncio.run(interceptor.intercept_service(continuation, Details()))
    assert called == []
    with tasks(server) as target, grpc.insecure_channel(target) as channel:
        assert Shopper(channel)("Orders", token()) == b"sara one", "the control"
