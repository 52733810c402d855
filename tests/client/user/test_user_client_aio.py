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
from authsvc.client.tokens.access_token import read_access_token
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
            async with make(target=server.target, client=service) as client:
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


def test_a_callback_may_close_its_client(make: Make, machine: Machine) -> None:
    """Whichever it is and whoever connects: what called it is not waited for, and everything else has ended."""
    closed: list[str] = []

    def closing(name: str, clients: list[AsyncUserClient]) -> Callable[..., Coroutine[Any, Any, None]]:
        async def close(*_: object) -> None:
            await clients[0].close()
            closed.append(name)

        return close

    async def test() -> None:
        for begins in (True, False):
            clients: list[AsyncUserClient] = []
            refusal = Provider([faults.SignInRequired.saying("")])
            clients.append(
                make(
                    "sara",
                    token_provider=refusal.later,
                    auto_connect=begins,
                    on_connect_user_error=closing("on_connect_user_error", clients),
                )
            )
            with pytest.raises((faults.SignInRequired, faults.UserChanged)):
                await (clients[0].token() if begins else clients[0].connect_user())
            clients[:] = [
                make(
                    "sara",
                    token_provider=lambda user: living(machine.clock, user),
                    auto_connect=begins,
                    on_token_updated=closing("on_token_updated", clients),
                )
            ]
            with pytest.raises((faults.UserChanged, faults.NoUser)):
                await (clients[0].token() if begins else clients[0].connect_user())
            assert clients[0].user is None

    run(test)
    assert sorted(closed) == ["on_connect_user_error"] * 2 + ["on_token_updated"] * 2


def test_closing_waits_for_who_connects(make: Make, machine: Machine) -> None:
    """When it returns the provider that was asked beside has ended too."""
    ended: list[str] = []

    async def provide(_: str) -> str:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            ended.append("the provider")
        return ""

    async def test() -> None:
        client = make("sara", token_provider=provide)
        await asyncio.sleep(0.01)
        await client.close()
        assert ended == ["the provider"]
        assert client._beside is not None
        assert client._beside.done()

    run(test)


def test_other_options_are_named_in_the_log(machine: Machine) -> None:
    """A client of that user is there, and nothing of the new wish is taken over."""
    lines: list[tuple[str, object]] = []
    options: dict[str, Any] = {**machine.parts, "token": living(machine.clock)}
    options["log_options"] = {"default": {"sink": lambda _, text, event: lines.append((text, event.get("setting")))}}

    async def test() -> None:
        async with AsyncUserClient.get_or_create("dev", "sara", **options) as client:
            assert AsyncUserClient.get_or_create("dev", "sara", **options) is client
            assert lines == []
            other = {**options, "token": living(machine.clock)}
            assert AsyncUserClient.get_or_create("dev", "sara", **other) is client

    run(test)
    assert lines == [("a client of this user is there, with other options", "token")]


def test_a_client_that_connects_after_all_is_found(machine: Machine) -> None:
    """A user has one client, also when it connected only at its second attempt, or again."""
    provider = Provider([faults.SignInRequired.saying(""), *(living(machine.clock) for _ in range(2))])
    options: dict[str, Any] = {**machine.parts, "token_provider": provider.later}

    async def test() -> None:
        async with AsyncUserClient.get_or_create("dev", "sara", **options) as client:
            with pytest.raises(faults.SignInRequired):
                await client.token()
            for _ in range(2):
                assert await client.connect_user() == SARA
                assert AsyncUserClient.get_or_create("dev", "sara", **options) is client
                await client.disconnect_user()

    run(test)
    assert not AsyncUserClient._instances._clients


def test_a_client_is_of_one_loop(server: RunningServer, machine: Machine) -> None:
    """In another one it says so at once, and can be closed; who asks for the user's client there gets a new one."""
    options: dict[str, Any] = {**machine.parts, "target": server.target, "credential": server.credential}
    clients: list[AsyncUserClient] = []

    async def provide(user: str) -> str:
        if clients:
            await asyncio.sleep(3600)
        async with AsyncAuthClient(server.target, server.credential) as service:
            request = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id=user))
            return (await service.issue_token(request)).token

    async def first() -> None:
        client = AsyncUserClient.get_or_create("dev", "sara", token_provider=provide, **options)
        await client.token()
        clients.append(client)
        with pytest.raises(faults.TokenTimeout):
            await client.renewed(await client.token(), timeout=timedelta(milliseconds=1))

    async def second() -> None:
        (old,) = clients
        for use in (old.token(), old.renewed("old"), old.connect_user("tom", living(machine.clock, "tom"))):
            with pytest.raises(RuntimeError, match=r"belongs to another event loop: make one in each"):
                await use
        clients.clear()
        async with AsyncUserClient.get_or_create("dev", "sara", token_provider=provide, **options) as new:
            assert new is not old
            assert await new.token()
            await old.close()
            assert AsyncUserClient.get_or_create("dev", "sara", token_provider=provide, **options) is new

    run(first)
    run(second)


def test_a_guest_is_the_same_until_it_is_disconnected(make: Make, server: RunningServer) -> None:
    """Whom a failed connect had made already is connected by the next; after a disconnect it is another guest."""
    ids: list[str] = []

    async def test() -> None:
        async with Forgetful(server.target, server.credential) as service:
            client = make(target=server.target, client=service, max_connect_user_retries=0)
            with pytest.raises(Unavailable):
                await client.connect_user(EndUser.guest("jack"))
            ids.append(service.seen[0])
            ids.append((await client.connect_user(EndUser.guest("jack"))).id)
            await client.disconnect_user()
            ids.append((await client.connect_user(EndUser.guest("jack"))).id)
            await client.close()

    run(test)
    assert ids[0] == ids[1] != ids[2]


class Forgetful(AsyncAuthClient):
    """A client of the service that loses the first answer about a token."""

    def __init__(self, *way: Any) -> None:
        super().__init__(*way)
        self.seen: list[str] = []

    @property
    def validate_token(self) -> Any:  # type: ignore[override]  # what a client makes calls with
        """Ask; the first time the answer is lost."""

        async def ask(request: auth_pb2.ValidateTokenRequest) -> auth_pb2.ValidateTokenResponse:
            self.seen.append(read_access_token(request.token).user_id)
            if len(self.seen) == 1:
                raise DOWN
            return auth_pb2.ValidateTokenResponse(active=True)

        return ask


def test_what_a_shared_client_is(make: Make, server: RunningServer, machine: Machine) -> None:
    """A front end's where it shows nothing; and nothing else is wished beside it."""

    async def test() -> None:
        async with AsyncAuthClient(server.target) as front:
            async with make(target=server.target, client=front) as client:
                assert await client.connect_user("sara", living(machine.clock)) == SARA
            for wish in ({"target": "127.0.0.1:2"}, {"credential": "ask1_x"}, {"allow_plaintext": True}):
                (name,) = wish
                with pytest.raises(ValueError, match=f"{name}: beside client="):
                    make(**{"target": server.target, **wish}, client=front)

    run(test)


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
