"""Calls that go on answering: without a deadline, with the same errors, and with an end that can be chosen."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from threading import Event
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from authsvc.client import AsyncAuthClient, AuthClient, AuthClientError, DeadlineExceeded, Unavailable
from authsvc.client.course import PLACES
from authsvc.client.methods import Awaiting, Stream, Waiting
from authsvc.errors import Reason
from authsvc.errors import Unavailable as ServiceUnavailable
from authsvc.rpc.status import status_of
from tests.client.conftest import CREDENTIAL
from tests.client.scripted import Behaviour, ScriptedServer
from tests.conftest import RunningServer

ASK = HealthCheckRequest()
SERVING = HealthCheckResponse.SERVING


class HealthMethods:
    """A stream that any gRPC server may have."""

    watch = Stream[HealthCheckRequest, HealthCheckResponse](HealthStub, "Watch")


class HealthCalls(HealthMethods, Waiting):
    """For callers that wait."""


class AsyncHealthCalls(HealthMethods, Awaiting):
    """For callers that await."""


@pytest.fixture
def health(scripted: ScriptedServer) -> Iterator[HealthCalls]:
    """Streams of the scripted server, for callers that wait."""
    with AuthClient(scripted.target, CREDENTIAL) as client:
        yield HealthCalls(client._calls)


class Endless:
    """A behaviour that gives one answer and no other, and sees when its caller gives up."""

    def __init__(self) -> None:
        self.given_up = Event()

    def __call__(self, _: object, context: grpc.ServicerContext) -> Iterator[HealthCheckResponse]:
        context.add_callback(self.given_up.set)
        yield HealthCheckResponse(status=SERVING)
        self.given_up.wait(30)


def answers(count: int, then: Reason | None = None) -> Behaviour:
    """So many answers, then the end, or a failure."""

    def give(_: object, context: grpc.ServicerContext) -> Iterator[HealthCheckResponse]:
        for _ in range(count):
            yield HealthCheckResponse(status=SERVING)
        if then is not None:
            context.abort_with_status(status_of(ServiceUnavailable(then)))

    return give


def test_answers_come_until_the_end(health: HealthCalls, scripted: ScriptedServer) -> None:
    """Each answer, then the end; with the credential, and no deadline but the caller's."""
    scripted.script = [answers(3), answers(1)]
    assert [update.status for update in health.watch(ASK)] == [SERVING] * 3
    assert len(list(health.watch(ASK, timeout=timedelta(minutes=2)))) == 1
    assert scripted.times_left[0] > 1e6
    assert 60 < scripted.times_left[1] < 121
    assert [("authorization", f"Bearer {CREDENTIAL}") in each for each in scripted.metadata] == [True, True]


def test_a_failure_is_an_error_of_the_tree(health: HealthCalls, scripted: ScriptedServer) -> None:
    """What the service ends a stream with has its reason, and is not repeated: its reader knows where to go on."""
    scripted.script = [answers(2, Reason.STALE)]
    updates = health.watch(ASK)
    assert [next(updates).status, next(updates).status] == [SERVING] * 2
    with pytest.raises(Unavailable, match="STALE"):
        next(updates)
    assert len(scripted.requests) == 1


def test_a_deadline_of_the_caller_ends_it(health: HealthCalls, scripted: ScriptedServer) -> None:
    """Whoever gives a timeout gets the error of a call that took too long; none that leaves no time is taken."""
    scripted.script = [Endless()]
    updates = health.watch(ASK, timeout=timedelta(milliseconds=200))
    next(updates)
    with pytest.raises(DeadlineExceeded):
        next(updates)
    with pytest.raises(ValueError, match="more than 0"):
        health.watch(ASK, timeout=timedelta(0))


def test_leaving_the_block_ends_it(health: HealthCalls, scripted: ScriptedServer) -> None:
    """The service is told when the caller has seen enough."""
    endless = Endless()
    scripted.script = [endless]
    with health.watch(ASK) as updates:
        assert next(updates).status == SERVING
    assert endless.given_up.wait(30)


def test_another_thread_may_end_it(health: HealthCalls, scripted: ScriptedServer) -> None:
    """A reader that waits for the next answer is told that it was cancelled."""
    scripted.script = [Endless()]
    updates = health.watch(ASK)
    next(updates)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, updates)
        updates.cancel()
        with pytest.raises(AuthClientError, match="CANCELLED"):
            waiting.result()


def test_a_closed_client_opens_none(scripted: ScriptedServer) -> None:
    """As with every call; and closing ends those that are open."""
    scripted.script = [Endless()]
    client = AuthClient(scripted.target)
    health = HealthCalls(client._calls)
    updates = health.watch(ASK)
    next(updates)
    client.close()
    with pytest.raises(AuthClientError, match="CANCELLED"):
        next(updates)
    with pytest.raises(ValueError, match="closed"):
        health.watch(ASK)


def awaited(scripted: ScriptedServer, use: Any) -> None:
    """Run that coroutine function with the streams of the scripted server, for callers that await."""

    async def main() -> None:
        async with AsyncAuthClient(scripted.target, CREDENTIAL) as client:
            await use(AsyncHealthCalls(client._calls))

    asyncio.run(main())


def test_answers_are_awaited_until_the_end(scripted: ScriptedServer) -> None:
    """The same for callers that await: answers, the end, failures, deadlines."""

    async def use(health: AsyncHealthCalls) -> None:
        assert [update.status async for update in health.watch(ASK)] == [SERVING] * 3
        failing = health.watch(ASK)
        assert (await anext(failing)).status == SERVING
        with pytest.raises(Unavailable, match="STALE"):
            await anext(failing)
        with pytest.raises(DeadlineExceeded):
            await until_the_end(health.watch(ASK, timeout=timedelta(milliseconds=200)))

    scripted.script = [answers(3), answers(1, Reason.STALE), Endless()]
    awaited(scripted, use)


def test_whoever_is_cancelled_while_reading_learns_it(scripted: ScriptedServer) -> None:
    """The reader ends as cancelled, the service is told, and the line is free for whatever comes."""
    endless = Endless()

    async def use(health: AsyncHealthCalls) -> None:
        updates = health.watch(ASK)
        await anext(updates)
        reader = asyncio.create_task(until_the_end(updates))
        await asyncio.sleep(0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert await asyncio.to_thread(endless.given_up.wait, 30)
        line = health._calls._lines.take().line
        assert line is not None
        assert line.calls == 1, "this one alone"

    scripted.script = [endless]
    awaited(scripted, use)


def test_leaving_the_block_ends_what_is_awaited(scripted: ScriptedServer) -> None:
    """The service is told when the caller has seen enough."""
    endless = Endless()

    async def use(health: AsyncHealthCalls) -> None:
        async with health.watch(ASK) as updates:
            assert (await anext(updates)).status == SERVING
        assert await asyncio.to_thread(endless.given_up.wait, 30)

    scripted.script = [endless]
    awaited(scripted, use)


async def until_the_end(updates: Any) -> None:
    """Read and forget."""
    async for _ in updates:
        pass


def test_streams_take_no_turns(server: RunningServer) -> None:
    """However many streams are open, other calls of the client go on beside them."""
    with AuthClient(server.target, server.credential) as client, ExitStack() as open_streams:
        health = HealthCalls(client._calls)
        streams = [open_streams.enter_context(health.watch(ASK)) for _ in range(PLACES + 1)]
        assert {next(updates).status for updates in streams} == {SERVING}
        assert [app.api_key for app in client.admin.apps()] == ["dev"]
        server.rpc.health.set_serving(False)
        assert {next(updates).status for updates in streams} == {HealthCheckResponse.NOT_SERVING}
