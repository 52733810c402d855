"""``AsyncTokenManager``: one user's token, for any number of tasks of one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from inspect import isawaitable
from typing import Self, TypeAlias

from authsvc.client.auth import AsyncAuthClient, AuthClient
from authsvc.client.homes import HomeLoop
from authsvc.client.logs import LogOptions
from authsvc.client.spans import span
from authsvc.client.tokens import faults
from authsvc.client.tokens.access_token import AccessToken
from authsvc.client.tokens.beside import answer_later, loop_alarm, others_end
from authsvc.client.tokens.issuer import Issuer
from authsvc.client.tokens.keeper import Chances, OnTokenUpdated, Question, TokenKeeper
from authsvc.client.tokens.manager import PACE, PATIENCE
from authsvc.client.tokens.pace import Pace
from authsvc.client.tokens.providers import TokenProvider
from authsvc.client.tokens.reminders import Reminders
from authsvc.client.tokens.renewal import Attempt, Step
from authsvc.client.tokens.source import TokenFunction
from authsvc.clock import Clock, Monotonic, Randomness, system_clock, system_monotonic, system_randomness
from authsvc.logs import Alarm, LoggerSystem
from authsvc.model import TokenStatus

_Place: TypeAlias = "asyncio.Future[AccessToken | Exception]"


class AsyncTokenManager:
    """As ``TokenManager``, for callers that await: the same rules, in one event loop.

    Providers may be functions of either kind; what may block runs on a thread. ``on_token_updated``, and
    ``on_session_updated`` of a provider, may be awaited. Made anywhere, it is used from one loop, that of its first
    token: in another one ``RuntimeError`` is raised.
    """

    def __init__(
        self,
        user_id: str | None = None,
        token_provider: TokenFunction | TokenProvider | None = None,
        *,
        token: str | None = None,
        client: AsyncAuthClient | AuthClient | None = None,
        api_key: str = "",
        as_front_end: bool = False,
        on_token_updated: OnTokenUpdated | None = None,
        pace: Pace = PACE,
        log_options: LogOptions | LoggerSystem | None = None,
        alarm: Alarm = loop_alarm,
        clock: Clock = system_clock,
        monotonic: Monotonic = system_monotonic,
        randomness: Randomness = system_randomness,
    ) -> None:
        issuer = None if client is None else Issuer(client, api_key, not as_front_end, pace.provider_timeout)
        self._keeper = TokenKeeper(issuer, pace, log_options, Chances(clock, monotonic, randomness), awaits=True)
        self._on_token_updated = on_token_updated
        self._reminders = Reminders(alarm)
        self._line: list[_Place] = []
        self._tasks: dict[asyncio.Task[None], Question | None] = {}
        self._home = HomeLoop("the token manager")
        if token is not None or token_provider is not None:
            self.follow(user_id, token_provider, token=token)

    @property
    def user_id(self) -> str | None:
        """Whose tokens these are; None with nobody, and before a guest's first token."""
        return self._keeper.user_id

    def follow(
        self,
        user_id: str | None,
        token_provider: TokenFunction | TokenProvider | None = None,
        *,
        token: str | None = None,
    ) -> None:
        """As ``TokenManager.follow``."""
        if self._home.is_over:
            self._home.check()
        step = self._keeper.follow(user_id, token, token_provider)
        self._cancel_questions()
        self._after(step)()

    def forget(self) -> None:
        """End with nobody: loads are cancelled, tokens forgotten."""
        if self._home.is_over:  # nobody waits there, and nothing can be cancelled any more
            self._line, self._tasks = [], {}
        step = self._keeper.forget()
        self._cancel_questions()
        self._after(step)()

    async def token(self, *, timeout: timedelta = PATIENCE, once: bool = False) -> str:
        """As ``TokenManager.token``."""
        self._home.check()
        span("timeout", timeout)
        return await self._text(self._keeper.ask(once=once), timeout)

    async def renewed(
        self, refused: str, status: TokenStatus = TokenStatus.EXPIRED, *, timeout: timedelta = PATIENCE
    ) -> str:
        """As ``TokenManager.renewed``."""
        self._home.check()
        span("timeout", timeout)
        return await self._text(self._keeper.refused(refused, status), timeout)

    @property
    def under_way(self) -> tuple[asyncio.Task[None], ...]:
        """The tasks in which it asks, and tells what came."""
        return tuple(self._tasks)

    def peek(self) -> str | None:
        """The token that can be used now, if there is one; nobody is asked."""
        token = self.current()
        return None if token is None else token.text

    def current(self) -> AccessToken | None:
        """As ``peek``, with what the token says."""
        return self._keeper.current()

    async def close(self) -> None:
        """End with nobody, for good; what was under way has ended when this returns, but for what calls this.

        Raises ``RuntimeError`` in another loop than that of the first token, while that one is there.
        """
        if not self._home.is_over:
            self._home.check()
        tasks = self.under_way
        self.forget()
        if not self._home.is_over:
            await others_end(tasks)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncTokenManager({self.user_id!r})"

    def _after(self, step: Step) -> Callable[[], None]:
        """Do what the rules say; what is returned lets those go on whose load has ended."""
        self._reminders.after(step, self._keeper.current(), begin=self._start, renew=self._renew)
        if step.attempt is not None and step.attempt.after == 0:
            self._start(step.attempt)
        if step.ended is None:
            return _nobody
        line, self._line = self._line, []
        return partial(_settle, line, step.ended)

    def _start(self, attempt: Attempt) -> None:
        task = asyncio.get_running_loop().create_task(self._ask(attempt))
        self._tasks[task] = None
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)

    async def _ask(self, attempt: Attempt) -> None:
        if not self._keeper.is_current(attempt):
            return
        self._reminders.deadline(self._keeper.pace.provider_timeout, partial(self._late, attempt))
        question = self._keeper.begin(attempt)
        if question is not None:
            await self._answer(question)

    async def _answer(self, question: Question) -> None:
        try:
            text = await self._asked(question)
        except Exception as fault:  # noqa: BLE001 - whatever the program's provider raises
            step = self._keeper.failed(question.attempt, fault)
        else:
            step = self._keeper.arrived(question.attempt, text)
        release = self._after(step)
        try:
            if step.news is not None:
                await self._tell(step.news)
        finally:
            release()

    async def _asked(self, question: Question) -> object:
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = question
        try:
            return await answer_later(question.turn)
        finally:
            self._keeper.over(question)
            self._tasks[task] = None

    def _cancel_questions(self, given_up: Callable[[Question], bool] = lambda _: True) -> None:
        for task, question in list(self._tasks.items()):
            if question is not None and given_up(question) and task is not _current_task():
                task.cancel()

    def _late(self, attempt: Attempt) -> None:
        late = [question for question in self._tasks.values() if question is not None and question.attempt == attempt]
        self._after(self._keeper.late(attempt))()
        # What runs on a thread cannot be ended: it may yet answer, and until then it counts.
        self._cancel_questions(lambda question: question in late and question.turn.awaited)

    def _renew(self, token: AccessToken | None) -> None:
        self._after(self._keeper.due(token))()

    async def _tell(self, token: AccessToken) -> None:
        if self._on_token_updated is None:
            return
        try:
            told = self._on_token_updated(token.text)
            if isawaitable(told):
                await told
        except Exception as fault:  # noqa: BLE001 - the token is good, and the calls that wait should have it
            self._keeper.log.error("on_token_updated failed", exception=fault)

    async def _text(self, step: Step, timeout: timedelta) -> str:
        place = asyncio.get_running_loop().create_future() if step.waits else None
        if place is not None:
            self._line.append(place)
        self._after(step)()
        outcome = step.token if place is None else await self._wait(place, timeout)
        if isinstance(outcome, AccessToken):
            return outcome.text
        if outcome is None:
            raise self._keeper.too_late(timeout)
        raise faults.again(outcome)

    async def _wait(self, place: _Place, timeout: timedelta) -> AccessToken | Exception | None:
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                return await place
        except TimeoutError:
            return None
        finally:
            if place in self._line:
                self._line.remove(place)


def _settle(line: list[_Place], outcome: AccessToken | Exception) -> None:
    for place in line:  # in the order in which they came: the loop wakes them in it
        if not place.done():
            place.set_result(outcome)


def _nobody() -> None:
    pass


def _current_task() -> asyncio.Task[None] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs: nothing is under way
        return None
