"""The same for callers that await: checked here, followed by a task, closed when it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from authsvc.client import AsyncAuthClient, AsyncTokenVerifier, AuthClient, TokenNotActive, TrustStale
from authsvc.model import Algorithm, ApiKey, UserId
from tests.client.verifier.world import event, issue
from tests.conftest import RunningServer

SECONDS = 30


def held(server: RunningServer, work: Callable[[AsyncTokenVerifier], Awaitable[None]], app: str = "dev") -> None:
    """Do something with a verifier of that app."""

    async def run() -> None:
        async with (
            AsyncAuthClient(server.target, server.credential) as client,
            AsyncTokenVerifier(client, app, clock=server.clock, max_staleness=timedelta(hours=1)) as verifier,
        ):
            await asyncio.wait_for(work(verifier), SECONDS)

    asyncio.run(run())


async def becomes(verifier: AsyncTokenVerifier, token: str, wanted: str) -> None:
    """Wait until the verdict is that."""
    while True:
        try:
            await verifier.verify(token)
        except TokenNotActive as refused:
            if refused.status == wanted:
                return
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.HS256])
def test_tokens_are_checked_and_what_is_revoked_is_refused(
    algorithm: Algorithm, server: RunningServer, client: AuthClient
) -> None:
    """By what is known here, and for apps with a secret by asking; the second look gives the same thing again."""
    server.new_app("shop", algorithm=algorithm)
    token = issue(client, "shop")

    async def work(verifier: AsyncTokenVerifier) -> None:
        first = await verifier.verify(token)
        assert (first.user_id, first.algorithm) == ("sara", algorithm.value)
        assert await verifier.verify(token) is first
        with pytest.raises(TokenNotActive, match="ROLE_DENIED"):
            await verifier.verify(token, any_role_of=["viewer"])
        server.domain.store.raise_watermark(ApiKey("shop"), UserId("sara"), event())
        await becomes(verifier, token, "REVOKED")

    held(server, work, "shop")


def test_a_verifier_that_is_not_let_in_is_stale(server: RunningServer) -> None:
    """It says that it cannot know, to all who wait; the control is one that is."""
    credential = server.new_credential("no rights")

    async def run() -> None:
        async with (
            AsyncAuthClient(server.target, credential) as client,
            AsyncTokenVerifier(client, "dev") as verifier,
        ):
            assert not await verifier.wait_ready(timedelta(milliseconds=50))
            waiting = [asyncio.create_task(verifier.verify("a.b.c")) for _ in range(3)]
            waiting[0].cancel()
            outcomes: list[Any] = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, TrustStale, TrustStale]
            assert verifier.stale

    asyncio.run(asyncio.wait_for(run(), SECONDS))

    async def work(verifier: AsyncTokenVerifier) -> None:
        assert await verifier.wait_ready()
        assert not verifier.stale

    held(server, work)


def test_a_verifier_belongs_to_an_event_loop(server: RunningServer) -> None:
    """Made where none runs it would follow nothing."""
    with pytest.raises(RuntimeError, match="no running event loop"):
        AsyncTokenVerifier(AsyncAuthClient(server.target, server.credential), "dev")
