"""``AsyncUserClient``: the same where callers await."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any

import grpc.aio
import pytest

from authsvc.client import AsyncAuthClient, Failure, PermissionDenied, Unavailable
from authsvc.client.tokens import faults
from authsvc.client.tokens.pace import Pace
from authsvc.client.tokens.providers import TokenProvider
from authsvc.client.user.client_aio import AsyncUserClient
from authsvc.client.user.connecting import AlreadyConnected
from authsvc.client.user.people import EndUser
from authsvc.v1 import auth_pb2
from tests.client.attaching.calling import awaited_call
from tests.client.attaching.peer import running_peer
from tests.client.tokens.made import Machine, Provider, living
from tests.conftest import HandClock, RunningServer

NO_PAUSES = Pace(first_pause=timedelta(0))
DOWN = Unavailable(Failure("UNAVAILABLE", "DRAINING", "the worker leaves"))
SARA = EndUser.regular("sara")


@pytest.fixture
def machine(clock: HandClock) -> Machine:
    """Clocks and alarms that are moved by hand, with the clock that the server has too."""
    return Machine(clock)


@pytest.fixture
def make(machine: Machine) -> Callable[..., AsyncUserClient]:
    """Clients of a front end."""
    parts: dict[str, Any] = {**machine.parts, "pace": NO_PAUSES}
    return lambda *user, target="127.0.0.1:1", **options: AsyncUserClient(target, "dev", *user, **{**parts, **options})


Make = Callable[..., AsyncUserClient]


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test in a loop of its own."""
    asyncio.run(asyncio.wait_for(test(), 30))


def test_a_user_connects_and_disconnects(make: Make, machine: Machine) -> None:
    """With a token, a provider or both; afterwards nothing is left."""

    async def test() -> None:
        async with make() as client:
            text = living(machine.clock)
            assert await client.connect_user("sara", text) == SARA == client.user
            assert await client.token() == text
            await client.disconnect_user()
            with pytest.raises(faults.NoUser):
                await client.token()
            await client.connect_user("tom", token_provider=lambda user: living(machine.clock, user))
            assert await client.renewed(await client.token()) == client.tokens.peek()
        assert machine.alarms.waiting == []

    run(test)


def test_the_service_is_asked_where_it_can_be(make: Make, server: RunningServer, machine: Machine) -> None:
    """With a credential a token is only good when the service says so."""

    async def test() -> None:
        async with AsyncAuthClient(server.target, server.credential) as service:
            request = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id="sara"), refreshable=True)
            issued = await service.issue_token(request)
            async with make(client=service) as client:
                provider = TokenProvider.session(issued.refresh_token)
                assert await client.connect_user("sara", issued.token, provider) == SARA
            async with make(target=server.target, credential=server.credential) as client:
                with pytest.raises(faults.TokenRefused, match="MALFORMED"):
                    await client.connect_user("sara", living(machine.clock))

    run(test)


def test_what_may_pass_is_tried_again(make: Make, machine: Machine) -> None:
    """Five times after the first attempt; the callback, which may be awaited, is told once; then it is raised."""
    told: list[int] = []
    provider = Provider([DOWN] * 6)

    async def tell(_: Exception, errors: Sequence[Exception]) -> None:
        told.append(len(errors))
        raise RuntimeError

    async def test() -> None:
        quiet = {"default": {"sink": lambda *_: None}}
        async with make(on_connect_user_error=tell, log_options=quiet) as client:
            with pytest.raises(faults.ProviderFailed):
                await client.connect_user("sara", token_provider=provider.later)
            provider.answers = [PermissionDenied(Failure("PERMISSION_DENIED", "APP_SUSPENDED", ""))]
            with pytest.raises(PermissionDenied):
                await client.connect_user("sara", token_provider=provider.later)
            provider.answers = [DOWN, living(machine.clock)]
            assert await client.connect_user("sara", token_provider=provider.later) == SARA

    run(test)
    assert told == [6, 1]


def test_a_second_connect_has_the_firsts_outcome(make: Make, machine: Machine) -> None:
    """The provider is asked once; another user is an error."""
    provider, may_go = Provider([living(machine.clock)]), asyncio.Event()

    async def provide(user: str) -> str:
        await may_go.wait()
        return provider(user)

    async def test() -> None:
        async with make() as client:
            tasks = [asyncio.create_task(client.connect_user("sara", token_provider=provide)) for _ in range(5)]
            await asyncio.sleep(0)
            with pytest.raises(AlreadyConnected):
                await client.connect_user("tom")
            may_go.set()
            assert await asyncio.gather(*tasks) == [SARA] * 5

    run(test)
    assert provider.count == 1


def test_a_disconnect_ends_connecting(make: Make) -> None:
    """In a pause between attempts, all who wait are told."""
    provider = Provider([DOWN] * 6)

    async def test() -> None:
        async with make(pace=Pace(first_pause=timedelta(hours=1), longest_pause=timedelta(hours=2))) as client:
            tasks = [asyncio.create_task(client.connect_user("sara", token_provider=provider.later)) for _ in range(2)]
            while not provider.count:
                await asyncio.sleep(0)
            await client.disconnect_user()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(each) for each in ended] == [faults.UserChanged] * 2

    run(test)


def test_a_cancelled_connect_leaves_nobody(make: Make, machine: Machine) -> None:
    """Whoever waits with it is told; the next connect begins anew."""

    async def hang(_: str) -> str:
        await asyncio.sleep(3600)
        return ""

    async def test() -> None:
        async with make() as client:
            first, second = (asyncio.create_task(client.connect_user("sara", token_provider=hang)) for _ in range(2))
            await asyncio.sleep(0.01)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            with pytest.raises(faults.UserChanged):
                await second
            assert await client.connect_user("sara", living(machine.clock)) == SARA

    run(test)


def test_a_client_with_a_user_connects_by_itself(make: Make, machine: Machine) -> None:
    """Calls wait for the outcome, and are told it when it is a failure."""

    async def test() -> None:
        async with make("sara", token_provider=lambda user: living(machine.clock, user)) as client:
            assert await client.token() == client.tokens.peek()
            assert client.user == SARA
        refusal = Provider([faults.SignInRequired.saying("")])
        async with make("sara", token_provider=refusal.later) as client:
            for _ in range(2):
                with pytest.raises(faults.SignInRequired):
                    await client.token()

        async def hang(_: str) -> str:
            await asyncio.sleep(3600)
            return ""

        async with make("sara", token_provider=hang) as client:
            with pytest.raises(faults.TokenTimeout):
                await client.token(timeout=timedelta(milliseconds=1))

    run(test)


def test_one_client_a_user(server: RunningServer, machine: Machine) -> None:
    """Guests are found by hint and by id; a client that was disconnected, or failed, is not found again."""
    server.new_app("open", guests_enabled=True, public_guests=True)
    options: dict[str, Any] = {**machine.parts, "target": server.target}

    async def test() -> None:
        guest = AsyncUserClient.get_or_create("open", EndUser.guest("jack"), **options)
        await guest.token()
        assert guest.user is not None
        for user in (EndUser.guest("jack"), EndUser.regular(guest.user.id)):
            assert AsyncUserClient.get_or_create("open", user, **options) is guest
        await guest.close()
        refusal = Provider([faults.SignInRequired.saying("")])
        failed = AsyncUserClient.get_or_create("open", "sara", token_provider=refusal.later, **options)
        with pytest.raises(faults.SignInRequired):
            await failed.token()
        async with AsyncUserClient.get_or_create("open", "sara", token=living(machine.clock), **options) as good:
            assert good is not failed
        await failed.close()

    run(test)
    assert not AsyncUserClient._instances._clients


def test_the_users_token_goes_with_calls(make: Make, machine: Machine) -> None:
    """On a channel of the program's, renewed when its peer says so."""
    old, new = living(machine.clock), living(machine.clock)

    async def test() -> None:
        with running_peer() as peer:
            peer.accepted = {new}
            async with (
                make("sara", token=old, token_provider=lambda _: new) as client,
                grpc.aio.insecure_channel(peer.target, interceptors=client.interceptors()) as channel,
            ):
                assert await awaited_call(channel, "UnaryUnary", [b"one"]) == [b"one"]
            assert peer.shown == [f"Bearer {old}", f"Bearer {new}"]

    run(test)
