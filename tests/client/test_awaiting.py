"""What only callers that await see: being cancelled, event loops, many calls at once on one thread."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from threading import Event
from typing import Any

import grpc
import pytest

from authsvc.client import AsyncAuthClient, AuthClientError, DeadlineExceeded, InvalidRequest
from authsvc.client.course import PLACES
from authsvc.client.retries import NO_RETRIES
from authsvc.v1 import admin_pb2, auth_pb2, guest_pb2
from tests.client.conftest import CREDENTIAL
from tests.client.halves import validate
from tests.client.scripted import ScriptedServer, aborts
from tests.conftest import RunningServer

SARA = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id="sara"), refreshable=True)
Main = Coroutine[Any, Any, None]


class Held:
    """A behaviour that answers when it is released, and sees when its caller gives up."""

    def __init__(self) -> None:
        self.arrived, self.given_up, self._released = Event(), Event(), Event()

    def __call__(self, _: object, context: grpc.ServicerContext) -> auth_pb2.ValidateTokenResponse:
        context.add_callback(self.given_up.set)
        self.arrived.set()
        self._released.wait(30)
        return auth_pb2.ValidateTokenResponse()

    def release(self) -> None:
        self._released.set()


async def seen(event: Event) -> None:
    """Wait for what a thread of the server notes."""
    assert await asyncio.to_thread(event.wait, 30)


def test_whoever_is_cancelled_learns_it(scripted: ScriptedServer) -> None:
    """A task that is cancelled during a call ends as cancelled, the service is told, and the client goes on."""
    held = Held()
    scripted.script = [held]

    async def main() -> None:
        async with AsyncAuthClient(scripted.target, CREDENTIAL, timeout=timedelta(minutes=1)) as client:
            call = asyncio.create_task(validate(client))
            await seen(held.arrived)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert call.cancelled()
            await seen(held.given_up)
            await validate(client)

    asyncio.run(main())
    held.release()


def test_a_pause_is_cancelled_as_well(scripted: ScriptedServer) -> None:
    """A task that is cancelled between two attempts ends as cancelled and makes no other attempt."""

    async def main() -> None:
        began = asyncio.Event()

        async def for_ever(_: float) -> None:
            began.set()
            await asyncio.Event().wait()

        scripted.script = [aborts(grpc.StatusCode.UNAVAILABLE)]
        async with AsyncAuthClient(scripted.target, CREDENTIAL, pause=for_ever) as client:
            call = asyncio.create_task(validate(client))
            await began.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    asyncio.run(main())
    assert len(scripted.requests) == 1


def test_a_task_group_ends_its_calls(scripted: ScriptedServer) -> None:
    """One call of a group that fails ends the others, and the group raises what failed: nothing swallowed a cancel."""
    held = Held()

    async def fail(client: AsyncAuthClient) -> None:
        await seen(held.arrived)
        await validate(client)

    async def main() -> None:
        async with (
            AsyncAuthClient(scripted.target, CREDENTIAL, timeout=timedelta(minutes=1)) as client,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(validate(client))
            group.create_task(fail(client))

    scripted.script = [held, aborts(grpc.StatusCode.INVALID_ARGUMENT)]
    with pytest.RaisesGroup(InvalidRequest):
        asyncio.run(main())
    assert held.given_up.wait(30)
    held.release()


def test_closing_cancels_what_is_awaited(scripted: ScriptedServer) -> None:
    """Whoever awaits a call when the client is closed is cancelled."""
    held = Held()
    scripted.script = [held]

    async def main() -> None:
        client = AsyncAuthClient(scripted.target, CREDENTIAL, timeout=timedelta(minutes=1))
        call = asyncio.create_task(validate(client))
        await seen(held.arrived)
        await client.close()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(main())
    held.release()


def test_a_client_may_be_made_before_there_is_a_loop(scripted: ScriptedServer) -> None:
    """As a module does; it belongs to the loop of its first call, and says so in another."""
    client = AsyncAuthClient(scripted.target, CREDENTIAL)

    async def refused() -> None:
        for call in (validate(client), client.guests.issue_anonymous_token(guest_pb2.IssueAnonymousTokenRequest())):
            with pytest.raises(RuntimeError, match="another event loop"):
                await call

    with asyncio.Runner() as first:
        first.run(validate(client))
        with asyncio.Runner() as second:
            second.run(refused())
        first.run(validate(client))
        first.run(client.close())
    assert len(scripted.requests) == 2


def test_many_calls_at_once(server: RunningServer) -> None:
    """Two hundred users sign in, are checked and renewed on one connection of one thread, each as themselves, and
    no call has to be repeated."""

    async def live(client: AsyncAuthClient, name: str) -> str:
        wish = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id=name), refreshable=True)
        issued = await client.issue_token(wish)
        renewed = await client.refresh_token(auth_pb2.RefreshTokenRequest(refresh_token=issued.refresh_token))
        verdict = await client.validate_token(auth_pb2.ValidateTokenRequest(api_key="dev", token=renewed.token))
        return verdict.info.user.id

    async def main() -> None:
        names = [f"user-{number}" for number in range(200)]
        long = timedelta(seconds=30)
        async with AsyncAuthClient(server.target, server.credential, timeout=long, retries=NO_RETRIES) as client:
            assert await asyncio.gather(*(live(client, name) for name in names)) == names

    asyncio.run(main())


def test_a_call_waits_for_its_turn_no_longer_than_it_may(scripted: ScriptedServer) -> None:
    """While as many calls as may be are in flight another one waits; when its time is over that is what it says, and
    when one of them ends the next has its turn."""
    held = [Held(), Held()]
    scripted.script = [*held]

    async def main() -> None:
        async with AsyncAuthClient(scripted.target, CREDENTIAL, timeout=timedelta(minutes=1)) as client:
            calls = [asyncio.create_task(validate(client)) for _ in range(PLACES)]
            await seen(held[1].arrived)
            with pytest.raises(DeadlineExceeded, match="none ended in time"):
                await client.validate_token(auth_pb2.ValidateTokenRequest(), timeout=timedelta(milliseconds=50))
            late = asyncio.create_task(validate(client))
            waiting_too = asyncio.create_task(validate(client))
            await asyncio.sleep(0)
            waiting_too.cancel()
            for each in held:
                each.release()
            await asyncio.gather(late, *calls)
            with pytest.raises(asyncio.CancelledError):
                await waiting_too
            assert len(scripted.requests) == PLACES + 1

    asyncio.run(main())


def test_pages_are_read_as_they_are_asked_for(server: RunningServer) -> None:
    """All pages are followed, and no page is read that nobody looks at."""

    async def main() -> None:
        async with AsyncAuthClient(server.target, server.credential) as client:
            for number in range(5):
                await client.admin.create_app(admin_pb2.CreateAppRequest(api_key=f"app-{number}"))
            asked = admin_pb2.ListAppsRequest(page_size=2)
            found = [app.api_key async for app in client.admin.apps(asked)]
            assert found == sorted([*(f"app-{number}" for number in range(5)), "dev"])
            assert asked == admin_pb2.ListAppsRequest(page_size=2), "the caller's request is not changed"
            lookups = server.log.getvalue().count("AdminService/ListApps")
            async for _ in client.admin.apps(asked):
                break
            assert server.log.getvalue().count("AdminService/ListApps") == lookups + 1

    asyncio.run(main())


def test_the_program_of_a_backend(server: RunningServer) -> None:
    """The main job, awaited: errors mean what they mean to callers that wait."""

    async def main() -> None:
        async with AsyncAuthClient(server.target, server.credential) as client:
            issued = await client.issue_token(SARA)
            request = auth_pb2.ValidateTokenRequest(api_key="dev", token=issued.token)
            assert (await client.validate_token(request)).active
            with pytest.raises(AuthClientError, match="REFRESH_TOKEN_INVALID"):
                await client.refresh_token(auth_pb2.RefreshTokenRequest(refresh_token="art1_forged"))

    asyncio.run(main())
