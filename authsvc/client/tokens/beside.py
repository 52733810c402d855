"""Asking a provider from an event loop: what may block runs on a thread, what has to be awaited is awaited."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from inspect import isawaitable
from typing import Any

from authsvc.client.tokens.source import Make, Turn


async def answer_later(turn: Turn) -> object:
    """The token of a turn, for callers that await."""
    answer = turn.make() if turn.awaited else await on_a_thread(turn.make)
    if isawaitable(answer):
        answer = await answer
    token = turn.read(answer)
    return await token if isawaitable(token) else token


async def others_end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Wait until those tasks have ended; whoever is one of them, a callback say, does not: others may wait for it."""
    waited_for = set(tasks)
    if waited_for and asyncio.current_task() not in waited_for:
        await asyncio.wait(waited_for)


async def on_a_thread(make: Make) -> Any:
    """What ``make`` returns, from a thread that neither the loop nor the process waits for at its end.

    The loop's own executor would keep both from ending while a provider hangs.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Any] = loop.create_future()

    def settle(set_outcome: Callable[[Any], None], outcome: object) -> None:
        if not answer.done():
            set_outcome(outcome)

    def work() -> None:
        try:
            outcome = (answer.set_result, make())
        except Exception as fault:  # noqa: BLE001 - carried over, and raised where it is awaited
            outcome = (answer.set_exception, fault)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=work, name="authsvc-client-token", daemon=True).start()
    return await answer


def loop_alarm(span: timedelta, ring: Callable[[], None]) -> Callable[[], None]:
    """An alarm of the running loop; none where no loop runs yet: then the first who asks finds that it is time."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return _nothing
    return loop.call_later(span.total_seconds(), ring).cancel


def _nothing() -> None:
    pass
