"""What is told of tokens that do not come, by either kind of manager."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from authsvc.client.tokens import faults
from authsvc.client.tokens.access_token import read_access_token
from authsvc.client.tokens.pace import Pace
from authsvc.client.tokens.providers import TokenProvider
from authsvc.client.tokens.renewal import RENEWED_ON
from authsvc.model import TokenStatus
from tests.client.kinds import Kind, closing, have, run
from tests.client.tokens.made import Machine, Provider, living, made_token


@pytest.fixture
def machine() -> Machine:
    """Clocks, alarms and threads that are moved by hand."""
    return Machine()


@pytest.mark.parametrize("status", sorted(RENEWED_ON))
def test_a_token_without_a_successor_is_called_what_it_is(kind: Kind, machine: Machine, status: TokenStatus) -> None:
    """Expired where it expired, else by the verdict that the service told: then, and to each who asks later."""
    text = living(machine.clock)
    told = faults.TokenExpired if status is TokenStatus.EXPIRED else faults.TokenRefused
    says = "the token has expired" if status is TokenStatus.EXPIRED else f"the service answers {status}"

    async def test() -> None:
        async with closing(kind.manager("sara", token=text, **kind.parts(machine))) as manager:
            for _ in range(2):
                with pytest.raises(told, match=f"{says}, and there is no token provider"):
                    await have(manager.renewed(text, status))
            with pytest.raises(told, match=says):
                await have(manager.token())
        async with closing(kind.manager("sara", lambda _: text, token=text, **kind.parts(machine))) as manager:
            with pytest.raises(told, match=f"{says}, and the token provider gave the same token again"):
                await have(manager.renewed(text, status))

    run(test)


def test_who_waited_in_vain_is_told_why(kind: Kind, machine: Machine) -> None:
    """Time that went by while the provider failed ends with its last error as the cause; an error that a token has
    followed is none."""
    down = OSError("no route")
    provider, may_go = Provider([down, living(machine.clock)]), Event()

    def provide(user: str) -> str:
        if not provider.answers:
            may_go.wait(30)
        return provider(user)

    async def timed_out(call: Callable[..., Any], *token: str) -> faults.TokenTimeout:
        with pytest.raises(faults.TokenTimeout) as raised:
            await have(call(*token, timeout=timedelta(milliseconds=1)))
        return raised.value

    async def test() -> None:
        async with closing(kind.manager("sara", provide, **kind.parts(machine))) as manager:
            while (told := await timed_out(manager.token)).__cause__ is None:
                assert "raised" not in str(told)
            assert (told.__cause__, str(told).endswith("; last, OSError was raised")) == (down, True)
            machine.ring()  # the pause before the second attempt
            text = await have(manager.token())
            machine.holding = True
            assert (await timed_out(manager.renewed, text)).__cause__ is None
            may_go.set()

    run(test)


def test_who_waited_in_vain_to_be_connected_is_told_why(kind: Kind, machine: Machine) -> None:
    """While the attempts of a client fail, a call whose time is over has the last one's error as its cause."""
    pace = Pace(first_pause=timedelta(hours=1), longest_pause=timedelta(hours=2))
    provider, failed = Provider([OSError("no route")]), Event()
    options: dict[str, Any] = {**machine.parts, "pace": pace}

    def note(_: object, message: str, __: object) -> None:
        if message == "connecting a user is tried again":
            failed.set()

    options["log_options"] = {"default": {"sink": note, "level": "debug"}}

    async def test() -> None:
        async with closing(kind.user("127.0.0.1:1", "dev", "sara", token_provider=provider, **options)) as client:
            while not failed.is_set():
                await asyncio.sleep(0.001)
            with pytest.raises(faults.TokenTimeout, match="still being connected; last, ProviderFailed") as raised:
                await have(client.token(timeout=timedelta(milliseconds=1)))
            assert isinstance(raised.value.__cause__, faults.ProviderFailed)

    run(test)


def _no_id() -> str:
    pytest.fail("it is never called")


class WithoutId:
    """A provider that is an object, and takes no id."""

    def __call__(self) -> str:
        pytest.fail("it is never called")


def _by_name_only(*, user_id: str) -> str:
    return user_id


def _of_two(user_id: str, more: str) -> str:
    return user_id + more


def _with_default(user_id: str = "tom") -> str:
    return made_token(user_id)


def _of_any(*user_ids: str) -> str:
    return made_token(*user_ids)


@pytest.mark.parametrize("function", [_no_id, WithoutId(), _by_name_only, _of_two])
def test_a_function_that_cannot_take_the_id_is_refused(kind: Kind, function: Callable[..., str]) -> None:
    """Where the provider is made, by a sentence that says what it is given: as a function it would fail ten times."""
    for make in (
        lambda: TokenProvider.callable(function),
        lambda: kind.manager("sara", function),
        lambda: kind.user("127.0.0.1:1", "dev", "sara", token_provider=function),
    ):
        with pytest.raises(TypeError, match="a token provider is given the user's id"):
            make()


class Unseen:
    """A provider that nobody can look into, as functions written in C."""

    @property
    def __signature__(self) -> None:
        raise ValueError("no signature found")

    def __call__(self, *given: str) -> str:
        return made_token(*given)


@pytest.mark.parametrize("function", [Unseen(), _with_default, _of_any])
def test_what_can_take_the_id_or_cannot_be_seen_is_taken(kind: Kind, function: Callable[..., str]) -> None:
    """The control: a default, any number of arguments, and what cannot be looked into are as good."""

    async def test() -> None:
        async with closing(kind.manager("sara", function)) as manager:
            assert read_access_token(await have(manager.token())).user_id == "sara"

    run(test)
