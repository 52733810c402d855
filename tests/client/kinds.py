"""Both kinds of what speaks for a user, used in the same words: a test is written once, and awaits where it must."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from authsvc.client import AsyncAuthClient, AsyncTokenManager, AsyncUserClient, AuthClient, TokenManager, UserClient
from tests.client.tokens.made import Machine


@dataclass(frozen=True)
class Kind:
    """The classes of one kind, and which further parts of a machine they take."""

    service: type[Any]
    manager: type[Any]
    user: type[Any]
    spawns: bool

    def parts(self, machine: Machine) -> dict[str, Any]:
        """What moves those of this kind by hand."""
        return {**machine.parts, **({"spawn": machine.spawn} if self.spawns else {})}


KINDS = {
    "waiting": Kind(AuthClient, TokenManager, UserClient, True),
    "awaiting": Kind(AsyncAuthClient, AsyncTokenManager, AsyncUserClient, False),
}


async def have(outcome: Any) -> Any:
    """What a call gave, or what it gives when it is awaited."""
    return await outcome if isawaitable(outcome) else outcome


@asynccontextmanager
async def closing(*opened: Any) -> AsyncIterator[Any]:
    """The first of those, all of them to be closed in the end."""
    try:
        yield opened[0]
    finally:
        for each in opened:
            await have(each.close())


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test in a loop of its own."""
    asyncio.run(asyncio.wait_for(test(), 30))
