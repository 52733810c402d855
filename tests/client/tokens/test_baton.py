"""One holds it, whoever waits or awaits, and it goes on in the order in which they came."""

from __future__ import annotations

import asyncio
from threading import Thread

import pytest

from authsvc.client.tokens.baton import Baton


def test_threads_and_tasks_hold_it_in_their_order() -> None:
    """Nobody is overtaken, and never two hold it."""
    baton, order = Baton(), list[int]()

    async def hold(number: int) -> None:
        async with baton.held_later():
            order.append(number)
            await asyncio.sleep(0)
            order.append(number)

    def wait(number: int) -> None:
        with baton.held(10):
            order.append(number)
            order.append(number)

    async def test() -> None:
        tasks, threads = list[asyncio.Task[None]](), list[Thread]()
        async with baton.held_later():
            for number in range(0, 8, 2):
                tasks.append(asyncio.create_task(hold(number)))
                await asyncio.sleep(0)
                threads.append(Thread(target=wait, args=(number + 1,), daemon=True))
                threads[-1].start()
                while len(baton._waiting) < number + 2:
                    await asyncio.sleep(0.001)
            assert order == []
        await asyncio.gather(*tasks)
        for thread in threads:
            await asyncio.to_thread(thread.join, 10)

    asyncio.run(asyncio.wait_for(test(), 30))
    assert order == [number for number in range(8) for _ in range(2)]


def test_who_leaves_stops_nobody() -> None:
    """Neither one whose time is over, nor one that is cancelled, before or after it was handed over."""
    baton = Baton()

    async def hold() -> None:
        async with baton.held_later():
            pytest.fail("who was cancelled holds nothing")

    async def test() -> None:
        async with baton.held_later():
            early, late = asyncio.create_task(hold()), asyncio.create_task(hold())
            await asyncio.sleep(0)
            with pytest.raises(TimeoutError), baton.held(0):
                pytest.fail("it is held")
            early.cancel()
            await asyncio.sleep(0)
        late.cancel()  # it is handed over, and does not know yet
        for task in (early, late):
            with pytest.raises(asyncio.CancelledError):
                await task
        with baton.held(0):
            assert baton._held
        assert not baton._held

    asyncio.run(asyncio.wait_for(test(), 30))
