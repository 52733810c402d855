"""Both kinds of client, used in the same words: what holds for one is shown for the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from authsvc.client import AsyncAuthClient, AuthClient
from authsvc.v1.auth_pb2 import ValidateTokenRequest


@dataclass(frozen=True)
class Do:
    """Makes a call with a client and gives what it gave: ``do(lambda client: client.get_app(request))``. Of what is
    read page by page it makes a list. ``client`` itself is for what neither waits nor is awaited."""

    client: Any
    make: Callable[[Callable[[Any], Any]], Any]

    def __call__(self, call: Callable[[Any], Any]) -> Any:
        return self.make(call)


Half = Callable[..., AbstractContextManager[Do]]
"""Opens a client of one kind; takes what the client takes, and as ``pauses`` a list to write them down in."""


def validate(client: Any) -> Any:
    """A call that is safe to repeat, and answered by a scripted server."""
    return client.validate_token(ValidateTokenRequest())


def close(client: Any) -> Any:
    """Close the client; its context does so once more."""
    return client.close()


@contextmanager
def waiting(target: str, *credential: Any, pauses: list[float] | None = None, **options: Any) -> Iterator[Do]:
    """A client whose callers wait."""
    if pauses is not None:
        options["pause"] = pauses.append

    def do(call: Callable[[AuthClient], Any]) -> Any:
        outcome = call(client)
        return list(outcome) if isinstance(outcome, Iterator) else outcome

    with AuthClient(target, *credential, **options) as client:
        yield Do(client, do)


@contextmanager
def awaiting(target: str, *credential: Any, pauses: list[float] | None = None, **options: Any) -> Iterator[Do]:
    """A client whose callers await, in an event loop of its own."""
    if pauses is not None:
        options["pause"] = _written_to(pauses)
    client = AsyncAuthClient(target, *credential, **options)
    with asyncio.Runner() as runner:

        async def gathered(call: Callable[[AsyncAuthClient], Any]) -> Any:
            outcome = call(client)
            if isinstance(outcome, AsyncIterator):
                return [item async for item in outcome]
            return await outcome

        try:
            yield Do(client, lambda call: runner.run(gathered(call)))
        finally:
            runner.run(client.close())


HALVES: dict[str, Half] = {"waiting": waiting, "awaiting": awaiting}


def _written_to(pauses: list[float]) -> Callable[[float], Awaitable[None]]:
    async def write(seconds: float) -> None:
        pauses.append(seconds)

    return write
