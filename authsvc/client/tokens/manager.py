"""``TokenManager``: one user's token, for any number of threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Self, TypeAlias

from authsvc.client.auth import AuthClient
from authsvc.client.homes import tell_after_fork
from authsvc.client.logs import LogOptions
from authsvc.client.spans import span
from authsvc.client.tokens import faults
from authsvc.client.tokens.access_token import AccessToken
from authsvc.client.tokens.alarms import AlarmThread
from authsvc.client.tokens.issuer import Issuer
from authsvc.client.tokens.keeper import Chances, OnTokenUpdated, TokenKeeper
from authsvc.client.tokens.line import Line, Place
from authsvc.client.tokens.pace import Pace
from authsvc.client.tokens.providers import TokenProvider
from authsvc.client.tokens.reminders import Reminders
from authsvc.client.tokens.renewal import Attempt, Step
from authsvc.client.tokens.source import TokenFunction, answer_at_once, refuse_asynchronous, was_to_be_awaited
from authsvc.clock import Clock, Monotonic, Randomness, system_clock, system_monotonic, system_randomness
from authsvc.logs import Alarm, LoggerSystem
from authsvc.model import TokenStatus

PATIENCE = timedelta(seconds=30)
PACE = Pace()

Spawn: TypeAlias = Callable[[Callable[[], None]], object]
"""Runs something that may take its time beside the thread that asks."""


def start_thread(work: Callable[[], None]) -> None:
    """Run ``work`` on a thread of its own, which the end of the process does not wait for."""
    threading.Thread(target=work, name="authsvc-client-token", daemon=True).start()


class TokenManager:
    """Has a token whenever one is asked for, and asks ``token_provider`` as rarely and as early as it can.

    One load is under way however many calls wait for it, and they go on in the order in which they came. ``token`` is
    used first. Providers that ask the service need ``client`` and ``api_key``; a client without a service credential
    says so by ``as_front_end``. ``on_token_updated`` is told of each new token.

    ``alarm`` and ``spawn`` are how it waits and works beside its callers: by default on threads that are there only
    while they are needed. All loads raise ``TokenError``, or what the service answered as ``AuthClientError``.

    Functions that have to be awaited are refused with ``TypeError``. In the child of a fork it goes on with the token
    it has, and begins its next load anew; a ``client`` made before the fork cannot be used there.
    """

    def __init__(
        self,
        user_id: str | None = None,
        token_provider: TokenFunction | TokenProvider | None = None,
        *,
        token: str | None = None,
        client: AuthClient | None = None,
        api_key: str = "",
        as_front_end: bool = False,
        on_token_updated: OnTokenUpdated | None = None,
        pace: Pace = PACE,
        log_options: LogOptions | LoggerSystem | None = None,
        alarm: Alarm | None = None,
        spawn: Spawn = start_thread,
        clock: Clock = system_clock,
        monotonic: Monotonic = system_monotonic,
        randomness: Randomness = system_randomness,
    ) -> None:
        refuse_asynchronous("on_token_updated", on_token_updated)
        issuer = None if client is None else Issuer(client, api_key, not as_front_end, pace.provider_timeout)
        self._keeper = TokenKeeper(issuer, pace, log_options, Chances(clock, monotonic, randomness), awaits=False)
        self._on_token_updated = on_token_updated
        self._alarm = AlarmThread() if alarm is None else alarm
        self._spawn = spawn
        self._begin_to_wait()
        tell_after_fork(self)
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
        """Begin with another user: what was loaded for the last one is dropped, and who waited for it is told.

        Raises ``TokenError`` for a token that cannot be used; then nothing has changed.
        """
        self._go(lambda: self._keeper.follow(user_id, token, token_provider))

    def forget(self) -> None:
        """End with nobody: loads are cancelled, tokens forgotten."""
        self._go(self._keeper.forget)

    def token(self, *, timeout: timedelta = PATIENCE, once: bool = False) -> str:
        """A token to use now. ``once``: the provider is asked once, at once, for callers with a pace of their own.

        Raises ``TokenTimeout`` when ``timeout`` is over, with the provider's last error as its ``__cause__``; the load
        goes on for later calls.
        """
        span("timeout", timeout)
        return self._text(*self._go(lambda: self._keeper.ask(once=once)), timeout)

    def renewed(self, refused: str, status: TokenStatus = TokenStatus.EXPIRED, *, timeout: timedelta = PATIENCE) -> str:
        """A token to use instead of one that the service ``refused``.

        Where it was replaced meanwhile, nobody is asked. Raises ``TokenRefused`` for a ``status`` that a new token
        would not change, a bad signature above all.
        """
        span("timeout", timeout)
        return self._text(*self._go(lambda: self._keeper.refused(refused, status)), timeout)

    def peek(self) -> str | None:
        """The token that can be used now, if there is one; nobody is asked."""
        token = self.current()
        return None if token is None else token.text

    def current(self) -> AccessToken | None:
        """As ``peek``, with what the token says."""
        with self._lock:
            return self._keeper.current()

    def close(self) -> None:
        """End with nobody, for good."""
        self.forget()

    def in_the_child(self) -> None:
        """Go on in the child of a fork, where nobody waits and nothing is under way."""
        self._begin_to_wait()
        self._keeper.drop_load()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"TokenManager({self.user_id!r})"

    def _begin_to_wait(self) -> None:
        self._lock = threading.Lock()
        self._line = Line[AccessToken | Exception]()
        self._reminders = Reminders(self._alarm)

    def _go(self, change: Callable[[], Step]) -> tuple[Step, Place[AccessToken | Exception] | None]:
        """Let the rules change what they know, then do what they say; a place in the line for who has to wait."""
        with self._lock:
            step = change()
            place = self._line.join() if step.waits else None
            first = None if step.ended is None else self._line.release(step.ended)
            self._reminders.after(step, self._keeper.current(), begin=self._start, renew=self._renew)
        if step.news is not None:
            self._tell(step.news)
        if first is not None:
            first.call()
        if step.attempt is not None and step.attempt.after == 0:
            self._start(step.attempt)
        return step, place

    def _ask(self, attempt: Attempt) -> None:
        with self._lock:
            if not self._keeper.is_current(attempt):
                return
            self._reminders.deadline(self._keeper.pace.provider_timeout, partial(self._late, attempt))
            question = self._keeper.begin(attempt)
        if question is None:
            return
        try:
            text = answer_at_once(question.turn)
        except Exception as fault:  # noqa: BLE001 - whatever the program's provider raises
            error = fault
            self._go(lambda: self._keeper.failed(self._keeper.over(question), error))
        else:
            self._go(lambda: self._keeper.arrived(self._keeper.over(question), text))

    def _start(self, attempt: Attempt) -> None:
        try:
            self._spawn(partial(self._ask, attempt))
        except RuntimeError as fault:  # no thread can be started now: those who wait must not wait for ever
            error = fault
            self._go(lambda: self._keeper.failed(attempt, error))

    def _late(self, attempt: Attempt) -> None:
        self._go(lambda: self._keeper.late(attempt))

    def _renew(self, token: AccessToken | None) -> None:
        self._go(lambda: self._keeper.due(token))

    def _tell(self, token: AccessToken) -> None:
        if self._on_token_updated is None:
            return
        try:
            if was_to_be_awaited(self._on_token_updated(token.text)):
                raise TypeError("on_token_updated is asynchronous, and was not awaited")
        except Exception as fault:  # noqa: BLE001 - the token is good, and the calls that wait should have it
            self._keeper.log.error("on_token_updated failed", exception=fault)

    def _text(self, step: Step, place: Place[AccessToken | Exception] | None, timeout: timedelta) -> str:
        outcome = step.token if place is None else self._wait(place, timeout)
        if isinstance(outcome, AccessToken):
            return outcome.text
        if outcome is None:
            raise self._keeper.too_late(timeout)
        raise faults.again(outcome)

    def _wait(self, place: Place[AccessToken | Exception], timeout: timedelta) -> AccessToken | Exception | None:
        try:
            return place.wait(timeout.total_seconds())
        finally:
            with self._lock:
                self._line.drop(place)
            place.leave()
