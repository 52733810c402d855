"""``AsyncTokenVerifier``: checks tokens here, for any number of tasks of one event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Self

from authsvc.client.auth import AsyncAuthClient
from authsvc.client.spans import span
from authsvc.client.verifier.asking import Asking, WhenStale, check_client, not_a_token
from authsvc.client.verifier.checked import CheckedToken
from authsvc.client.verifier.following import (
    ANSWERED_WITHIN,
    FIRST_WAIT,
    LOOK_EVERY,
    MAX_STALENESS,
    Following,
    make_judge,
)
from authsvc.clock import Clock, Monotonic, Randomness, system_clock, system_monotonic, system_randomness
from authsvc.verify.signatures import digest_of


class AsyncTokenVerifier:
    """As ``TokenVerifier``, for callers that await. Make it where an event loop runs: it follows as a task of it.

    Whoever is cancelled while waiting gets ``CancelledError``. Raises ``RuntimeError`` where no event loop runs.
    """

    def __init__(
        self,
        client: AsyncAuthClient,
        api_key: str,
        *,
        audiences: Sequence[str] = (),
        max_staleness: timedelta = MAX_STALENESS,
        when_stale: WhenStale = "fail_closed",
        clock: Clock = system_clock,
        monotonic: Monotonic = system_monotonic,
        randomness: Randomness = system_randomness,
    ) -> None:
        loop = asyncio.get_running_loop()
        check_client(client, AsyncAuthClient)
        self._client = client
        self._judge = make_judge(
            api_key, audiences=audiences, max_staleness=max_staleness, clock=clock, monotonic=monotonic
        )
        self._asking = Asking(self._judge, api_key, when_stale)
        self.logs = client.logs
        log = self.logs.get_logger("client.verifier")
        self._following = Following(self._judge, api_key, monotonic=monotonic, randomness=randomness, log=log)
        self._ready = asyncio.Event()
        self._task = loop.create_task(self._run(), name="authsvc-verifier")

    async def verify(
        self,
        token: str,
        *,
        call_cid: str | None = None,
        channel_cid: str | None = None,
        audience: str | None = None,
        any_role_of: Sequence[str] | None = None,
    ) -> CheckedToken:
        """As ``TokenVerifier.verify``."""
        try:
            digest = digest_of(token)
        except AttributeError:
            raise not_a_token(token) from None
        questions = self._asking.questions(call_cid, channel_cid, audience, any_role_of)
        known = self._asking.remembered(digest, questions)
        if known is not None:
            return known
        if not self._ready.is_set() and (patience := self._following.patience):
            await self._heard(patience)  # the first snapshot is on its way
        checked = self._asking.here(token, digest, questions)
        if checked is not None:
            return checked
        asked = self._asking.of_service(token, digest, questions)
        return self._asking.told(asked, await self._client.validate_token(asked.request))

    async def wait_ready(self, timeout: timedelta = FIRST_WAIT) -> bool:
        """Wait until tokens can be checked; whether they can."""
        if not self._judge.forked:
            await self._heard(span("timeout", timeout).total_seconds())
        return not self._judge.stale

    @property
    def stale(self) -> bool:
        """Whether what is known is too old to check tokens by, or nothing is known yet."""
        return self._judge.stale

    async def close(self) -> None:
        """End following; tokens can be checked until what is known is too old. The client stays open."""
        if self._judge.forked:
            return  # task and stream are the parent's
        self._task.cancel()
        await asyncio.wait((self._task,))
        self._following.closed()
        self._ready.set()  # what has not come by now never comes

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _heard(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ready.wait()

    async def _run(self) -> None:
        while not self._following.over:
            await asyncio.sleep(self._following.ended(await self._attempt()))
        self._ready.set()  # what has not come by now never comes

    async def _attempt(self) -> Exception | None:
        try:
            await self._reconcile()  # streams that say nothing must not keep it from being asked
            await self._follow()
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            # The library ends calls so when the client is closed: the next attempt will say that.
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is told, and the next attempt may do better
            return fault
        return None

    async def _follow(self) -> None:
        async with (
            asyncio.timeout(None) as limit,
            self._client.trust.watch_trust_bundle(self._following.request()) as updates,
        ):
            watch = asyncio.create_task(self._watch(limit), name="authsvc-verifier-watch")
            try:
                async for update in updates:
                    if self._following.take(update):
                        self._ready.set()
                    await self._reconcile()
            finally:
                watch.cancel()

    async def _reconcile(self) -> None:
        if (request := self._following.reconciling()) is not None:
            self._following.reconcile(await self._client.trust.get_trust_bundle(request, timeout=ANSWERED_WITHIN))

    async def _watch(self, limit: asyncio.Timeout) -> None:
        while not self._following.silent:
            await asyncio.sleep(LOOK_EVERY.total_seconds())
        limit.reschedule(asyncio.get_running_loop().time())


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
