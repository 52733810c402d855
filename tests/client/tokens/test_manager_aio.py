"""``AsyncTokenManager``: the same rules where callers await."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from threading import Event, current_thread, main_thread
from typing import Any

import pytest

from authsvc.client.logs import LogOptions
from authsvc.client.tokens import faults
from authsvc.client.tokens.manager_aio import AsyncTokenManager
from authsvc.clock import system_clock
from authsvc.logs import Level
from authsvc.model import TokenStatus
from tests.client.tokens.made import Machine, Provider, living, made_token


@pytest.fixture
def machine() -> Machine:
    """Clocks and alarms that are moved by hand."""
    return Machine()


@pytest.fixture
def provider() -> Provider:
    """A provider that gives what it is told."""
    return Provider()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test in a loop of its own."""
    asyncio.run(asyncio.wait_for(test(), 30))


async def settle() -> None:
    """Let every task go on that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_thousand_calls_cause_one_load(machine: Machine) -> None:
    """1,000 tasks with an expired token: one call of the provider; they go on in the order in which they came."""
    first, second = living(machine.clock), living(machine.clock, ttl=7200)
    asked, order, answer = list[str](), list[int](), asyncio.Event()

    async def provide(user: str) -> str:
        asked.append(user)
        await answer.wait()
        return second

    async def ask(manager: AsyncTokenManager, number: int) -> str:
        token = await manager.token()
        order.append(number)
        return token

    async def test() -> None:
        manager = AsyncTokenManager("sara", provide, token=first, **machine.parts)
        machine.clock.move(seconds=3601)
        tasks = [asyncio.create_task(ask(manager, number)) for number in range(1000)]
        await settle()
        assert order == []
        answer.set()
        assert await asyncio.gather(*tasks) == [second] * 1000

    run(test)
    assert (asked, order) == (["sara"], list(range(1000)))


def test_late_refusals_cause_no_load(machine: Machine, provider: Provider) -> None:
    """500 replies that the old token has expired, after it was replaced: nobody is asked, each gets the new one."""
    first, second = living(machine.clock), living(machine.clock)
    provider.answers = [second, living(machine.clock)]

    async def test() -> None:
        manager = AsyncTokenManager("sara", provider.later, token=first, **machine.parts)
        assert await manager.renewed(first) == second
        assert await asyncio.gather(*(manager.renewed(first) for _ in range(500))) == [second] * 500
        assert provider.count == 1
        with pytest.raises(faults.TokenRefused, match="SIGNATURE_INVALID"):
            await manager.renewed(second, TokenStatus.SIGNATURE_INVALID)
        assert provider.count == 1
        # The control: a refusal of the token in use is another matter.
        machine.clock.move(minutes=1)
        assert await manager.renewed(second) != second

    run(test)
    assert provider.count == 2


def test_a_function_that_may_block_runs_on_a_thread(machine: Machine) -> None:
    """The loop goes on meanwhile; a coroutine function runs in the loop."""
    threads = []

    def provide(user: str) -> str:
        threads.append(current_thread())
        return living(machine.clock, user)

    async def provide_later(user: str) -> str:
        return provide(user)

    def provide_awaitable(user: str) -> Awaitable[str]:
        return provide_later(user)

    async def test() -> None:
        for provider in (provide, provide_later, provide_awaitable):
            assert await AsyncTokenManager("sara", provider, **machine.parts).token()

    run(test)
    assert [thread is main_thread() for thread in threads] == [False, True, True]


def test_a_provider_has_a_deadline(machine: Machine) -> None:
    """One that does not answer in 10 s is cancelled, has failed and is asked again after a pause."""
    ended, text = list[str](), living(machine.clock)

    async def provide(_: str) -> str:
        if ended:
            return text
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("cancelled")
        return ""

    async def test() -> None:
        manager = AsyncTokenManager("sara", provide, **machine.parts)
        asked = asyncio.create_task(manager.token())
        await settle()
        assert machine.ring() == timedelta(seconds=10)
        await settle()
        assert ended == ["cancelled"]
        assert machine.ring() == timedelta(seconds=0.25)
        assert await asked == text

    run(test)


def test_a_thread_that_hangs_holds_nothing_up(machine: Machine) -> None:
    """A blocking provider that never answers ends neither the waiting of others nor the end of the loop."""
    hangs = Event()

    async def test() -> None:
        manager = AsyncTokenManager("sara", lambda _: str(hangs.wait(30)), **machine.parts)
        with pytest.raises(faults.TokenTimeout):
            await manager.token(timeout=timedelta(milliseconds=1))

    run(test)
    hangs.set()


def test_ten_failures_are_enough(machine: Machine, provider: Provider) -> None:
    """Pauses are alarms of the loop; after the tenth failure all who wait are told."""
    provider.answers = [ValueError()] * 10

    async def test() -> None:
        manager = AsyncTokenManager("sara", provider.later, **machine.parts)
        asked = [asyncio.create_task(manager.token()) for _ in range(3)]
        await settle()
        for _ in range(9):
            machine.ring()
            await settle()
        assert [type(each) for each in await asyncio.gather(*asked, return_exceptions=True)] == [
            faults.ProviderFailed
        ] * 3

    run(test)
    assert (provider.count, machine.alarms.waiting) == (10, [])


def test_a_load_of_the_last_user_is_cancelled(machine: Machine) -> None:
    """Its provider is cancelled, who waited is told, no callback hears of it; the next user has a load of its own."""
    ended, told = list[str](), list[str]()

    async def provide(user: str) -> str:
        if user == "sara":
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append(user)
        return living(machine.clock, user)

    async def test() -> None:
        manager = AsyncTokenManager("sara", provide, on_token_updated=told.append, **machine.parts)
        asked = asyncio.create_task(manager.token())
        await settle()
        manager.follow("tom", provide)
        with pytest.raises(faults.UserChanged):
            await asked
        assert [await manager.token()] == told
        assert ended == ["sara"]
        await manager.close()
        with pytest.raises(faults.NoUser):
            await manager.token()

    run(test)
    assert machine.alarms.waiting == []


def test_who_is_cancelled_leaves_the_line(machine: Machine) -> None:
    """The load goes on for the others."""
    text, answer = living(machine.clock), asyncio.Event()

    async def provide(_: str) -> str:
        await answer.wait()
        return text

    async def test() -> None:
        manager = AsyncTokenManager("sara", provide, **machine.parts)
        leaves, stays = (asyncio.create_task(manager.token()) for _ in range(2))
        await settle()
        leaves.cancel()
        await settle()
        assert len(manager._line) == 1
        answer.set()
        assert await stays == text
        assert leaves.cancelled()

    run(test)


def test_on_token_updated_may_be_awaited(machine: Machine) -> None:
    """It is told before the calls that wait go on; when it fails the calls go on all the same."""
    told, lines = list[str](), list[tuple[Level, str]]()

    async def tell(token: str) -> None:
        await asyncio.sleep(0)
        told.append(token)
        raise RuntimeError("canary")

    async def test() -> None:
        options: LogOptions = {"default": {"sink": lambda level, message, _: lines.append((level, message))}}
        manager = AsyncTokenManager(
            "sara",
            lambda user: living(machine.clock, user),
            on_token_updated=tell,
            log_options=options,
            **machine.parts,
        )
        assert [await manager.token()] == told

    run(test)
    assert lines == [(Level.ERROR, "on_token_updated failed")]


def test_a_token_is_renewed_ahead_by_an_alarm(machine: Machine, provider: Provider) -> None:
    """At 80 % of its life, with nobody asking."""
    first, second = living(machine.clock), living(machine.clock, ttl=7200)
    provider.answers = [second]

    async def test() -> None:
        manager = AsyncTokenManager("sara", provider.later, token=first, **machine.parts)
        assert machine.ring().total_seconds() == pytest.approx(2880, abs=1)
        await settle()
        assert manager.peek() == second

    run(test)


def test_with_the_loops_own_alarms(provider: Provider) -> None:
    """The real thing: alarms and clocks of this machine."""
    provider.answers = [ValueError(), made_token()]

    async def test() -> None:
        async with AsyncTokenManager("sara", provider) as manager:
            assert await manager.token() == manager.peek()

    run(test)
    assert provider.count == 2


def test_a_manager_may_be_made_before_its_loop() -> None:
    """Where no loop runs no alarm is set; it renews all the same when it is asked."""
    text = living(system_clock)
    manager = AsyncTokenManager("sara", lambda _: made_token(), token=text)

    async def test() -> None:
        assert await manager.token() == text
        assert await manager.renewed(text) != text

    run(test)


def test_a_thread_that_hangs_is_not_joined_by_ever_more(machine: Machine) -> None:
    """Beside a call that cannot be ended one more is made and no third; who waits takes the first answer to come."""
    may_go, asked, text = Event(), list[str](), living(machine.clock)

    def provide(user: str) -> str:
        asked.append(user)
        may_go.wait(30)
        return text

    async def test() -> None:
        manager = AsyncTokenManager("sara", provide, **machine.parts)
        waits = asyncio.create_task(manager.token())
        for attempt in range(1, 5):
            await settle()
            assert len(asked) == min(attempt, 2)
            assert machine.ring() == timedelta(seconds=10)
            machine.ring()
        await settle()
        may_go.set()
        assert (await waits, manager.peek(), len(asked)) == (text, text, 2)
        await manager.close()

    run(test)


def test_closing_waits_for_what_is_under_way(machine: Machine) -> None:
    """A provider that takes its time to end has ended when the manager is closed."""
    ended: list[str] = []

    async def provide(_: str) -> str:
        try:
            await asyncio.sleep(3600)
        finally:
            await settle()
            await settle()
            ended.append("the provider")
        return ""

    async def test() -> None:
        manager = AsyncTokenManager("sara", provide, **machine.parts)
        waits = asyncio.create_task(manager.token())
        await settle()
        await manager.close()
        assert ended == ["the provider"]
        with pytest.raises(faults.UserChanged):
            await waits

    run(test)


def test_a_callback_may_close_its_manager(machine: Machine) -> None:
    """It is not waited for, as it waits itself; nor is a token that was told of lost to who waited for it."""
    text = living(machine.clock)

    async def test() -> None:
        async def close(_: str) -> None:
            await manager.close()

        manager = AsyncTokenManager("sara", lambda _: text, on_token_updated=close, **machine.parts)
        assert await manager.token() == text
        assert manager.peek() is None

    run(test)


def test_a_manager_is_of_one_loop(machine: Machine) -> None:
    """In another one nothing of the first can come any more: that is said at once; only closing it is always right."""

    async def hang(_: str) -> str:
        await asyncio.sleep(3600)
        return ""

    manager = AsyncTokenManager("sara", hang, token=living(machine.clock), **machine.parts)

    async def first() -> None:
        await manager.token()
        with pytest.raises(faults.TokenTimeout):
            await manager.renewed(manager.peek() or "", timeout=timedelta(milliseconds=1))

    async def second() -> None:
        for ask in (manager.token(), manager.renewed("old")):
            with pytest.raises(RuntimeError, match="the token manager belongs to another event loop: make one in each"):
                await ask
        with pytest.raises(RuntimeError, match="another event loop"):
            manager.follow("tom", hang)
        await manager.close()
        assert manager.user_id is None

    async def beside() -> None:
        await asyncio.to_thread(run, elsewhere)
        assert manager.user_id == "tom"

    async def elsewhere() -> None:
        with pytest.raises(RuntimeError, match="another event loop"):
            await manager.close()

    run(first)
    run(second)
    manager = AsyncTokenManager("tom", hang, token=living(machine.clock, "tom"), **machine.parts)

    async def third() -> None:
        await manager.token()
        await beside()

    run(third)


def test_a_loop_that_was_closed_under_a_call_leaves_nobody(machine: Machine) -> None:
    """Who waited there can be told nothing any more: the manager is forgotten and closed all the same."""
    asked: list[str] = []

    async def hang(user: str) -> str:
        asked.append(user)
        await asyncio.Event().wait()
        return ""

    async def begin() -> None:
        waiting.append(asyncio.create_task(manager.token()))
        await settle()

    manager, waiting = AsyncTokenManager("sara", hang, **machine.parts), list[asyncio.Task[str]]()
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # the calls that are left are what this is about
    loop.run_until_complete(begin())
    loop.close()
    run(manager.close)
    assert (asked, manager.user_id, manager._line) == (["sara"], None, [])
