"""``AsyncTokenVerifier``: checks tokens here, for any number of tasks of one event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Self

from authsvc.client.auth import AsyncAuthClient
from authsvc.client.errors import AuthClientError
from authsvc.client.verifier.asking import Asking, WhenStale
from authsvc.client.verifier.checked import CheckedToken
from authsvc.client.verifier.following import FIRST_WAIT, MAX_STALENESS, Following, make_judge
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
        digest = digest_of(token)
        questions = self._asking.questions(call_cid, channel_cid, audience, any_role_of)
        known = self._asking.remembered(digest, questions)
        if known is not None:
            return known
        if not self._ready.is_set():
            await self._heard(self._following.patience)  # the first snapshot is on its way
        checked = self._asking.here(token, digest, questions)
        if checked is not None:
            return checked
        asked = self._asking.of_service(token, digest, questions)
        return self._asking.told(asked, await self._client.validate_token(asked.request))

    async def wait_ready(self, timeout: timedelta = FIRST_WAIT) -> bool:
        """Wait until tokens can be checked; whether they can."""
        await self._heard(timeout.total_seconds())
        return not self._judge.stale

    @property
    def stale(self) -> bool:
        """Whether what is known is too old to check tokens by, or nothing is known yet."""
        return self._judge.stale

    async def close(self) -> None:
        """End following; tokens can be checked until what is known is too old. The client stays open."""
        self._task.cancel()
        await asyncio.wait((self._task,))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _heard(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ready.wait()

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
                pause = self._following.ended(None)
            except (AuthClientError, ValueError) as fault:
                pause = self._following.ended(fault)
            await asyncio.sleep(pause)

    async def _follow(self) -> None:
        async with self._client.trust.watch_trust_bundle(self._following.request()) as updates:
            async for update in updates:
                if self._following.take(update):
                    self._ready.set()
                if (request := self._following.reconciling()) is not None:
                    self._following.reconcile(await self._client.trust.get_trust_bundle(request))
