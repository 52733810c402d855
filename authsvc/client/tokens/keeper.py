"""What both managers are made of: the rules, told the time; the provider that is asked; what is logged of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, TypeAlias

from authsvc.client.errors import AuthClientError
from authsvc.client.logs import LogOptions, make_client_logs
from authsvc.client.tokens import faults
from authsvc.client.tokens.access_token import AccessToken
from authsvc.client.tokens.issuer import Issuer
from authsvc.client.tokens.pace import Pace
from authsvc.client.tokens.providers import Surroundings, TokenProvider, as_provider
from authsvc.client.tokens.renewal import RENEWED_ON, Attempt, Moment, Renewal, Step
from authsvc.client.tokens.source import Source, TokenFunction, Turn
from authsvc.clock import Clock, Monotonic, Randomness
from authsvc.logs import LoggerSystem
from authsvc.model import TokenStatus

OnTokenUpdated: TypeAlias = Callable[[str], Any]
"""Told of each new token, before the calls that wait for it go on; not of the token that a manager began with."""

AT_ONCE = 2
"""Questions to one provider that are under way at once: beside one that hangs and cannot be ended there is another, so
that one lost answer is not the end; a provider that hangs each time must not cost a thread each time."""


class Chances(NamedTuple):
    """Time and chance as values: a clock, a clock that is never set, and random bytes."""

    clock: Clock
    monotonic: Monotonic
    randomness: Randomness


@dataclass(eq=False)
class Question:
    """A turn under way, and the attempt that its answer is for."""

    turn: Turn
    attempt: Attempt


class TokenKeeper:
    """Keeps one user's token by the rules of ``Renewal``. Used by one thread at a time.

    ``awaits``: what has to be awaited can be; where it cannot, such functions are refused with ``TypeError``.
    """

    def __init__(
        self,
        issuer: Issuer | None,
        pace: Pace,
        log_options: LogOptions | LoggerSystem | None,
        chances: Chances,
        *,
        awaits: bool,
    ) -> None:
        self.pace = pace
        logs = issuer.client.logs if issuer is not None and log_options is None else make_client_logs(log_options)
        self.log = logs.get_logger("client.tokens")
        self._calls = logs.get_logger("client.interceptor")
        self._surroundings = Surroundings(issuer, chances.randomness, self.log, awaits=awaits)
        self._chances = chances
        self._renewal = Renewal(pace, chances.randomness)
        self._source: Source | None = None
        self._under_way: list[Question] = []

    @property
    def user_id(self) -> str | None:
        """Whose tokens these are; None with nobody, and before a guest's first token."""
        return self._renewal.user_id

    def now(self) -> Moment:
        """The present."""
        return Moment(self._chances.clock(), self._chances.monotonic() / 1_000_000_000)

    def current(self) -> AccessToken | None:
        """The token that can be used now, without asking anybody."""
        return self._renewal.current(self.now())

    def follow(
        self, user_id: str | None, token: str | None, token_provider: TokenFunction | TokenProvider | None
    ) -> Step:
        """Begin with a user. Raises ``TokenError`` for a token that cannot be used, ``ValueError`` for none at all."""
        provider = as_provider(token, token_provider)
        if provider is None:
            raise ValueError("give a token, a token provider or both")
        source = provider.open(self._surroundings)
        whose = user_id or provider.user_id
        step = self._renewal.follow(whose, provider.first, self.now(), renewable=source is not None)
        self._source, self._under_way = source, []
        return step

    def forget(self) -> Step:
        """End with nobody."""
        self._source, self._under_way = None, []
        return self._renewal.forget()

    def drop_load(self) -> None:
        """Whoever made the load is gone, and so is whoever waited for it: the next who asks begins anew."""
        self._under_way = []
        self._renewal.drop_load()

    def ask(self, *, once: bool = False) -> Step:
        """A caller wants a token."""
        return self._renewal.ask(self.now(), once=once)

    def refused(self, text: str, status: TokenStatus) -> Step:
        """A call was refused with ``status`` for its token. Raises ``TokenRefused`` where another would not help."""
        self._calls.debug("a call's token was refused", reason=status, user_id=self.user_id)
        if status not in RENEWED_ON:
            raise faults.TokenRefused.saying(f"the service answers {status}, which another token does not change")
        return self._renewal.refused(text, self.now(), status)

    def due(self, token: AccessToken | None) -> Step:
        """It is time to renew that token; None: to settle what is in doubt."""
        return self._renewal.due(token, self.now())

    def is_current(self, attempt: Attempt) -> bool:
        """Whether somebody still waits for what comes of that attempt."""
        return self._renewal.is_current(attempt)

    def begin(self, attempt: Attempt) -> Question | None:
        """What to ask now; None: so many questions are under way that the first answer to any of them counts."""
        if len(self._under_way) >= AT_ONCE:
            for each in self._under_way:
                each.attempt = attempt
            return None
        assert self._source is not None
        question = Question(self._source.begin(self._renewal.user_id or ""), attempt)
        self._under_way.append(question)
        return question

    def too_late(self, timeout: timedelta) -> faults.TokenTimeout:
        """What a caller is told whose time is over while the load goes on."""
        return faults.too_late(f"no token came within {timeout.total_seconds():g} s", self._renewal.trouble)

    def over(self, question: Question) -> Attempt:
        """Nothing more comes of the question; the attempt it was for."""
        if question in self._under_way:
            self._under_way.remove(question)
        return question.attempt

    def arrived(self, attempt: Attempt, text: object) -> Step:
        """The provider answered."""
        if not self._renewal.is_current(attempt):
            self.log.debug("a token that nobody waits for any more was dropped")
            return Step()
        step = self._renewal.arrived(attempt, text, self.now())
        if isinstance(step.ended, Exception) or step.ended is None:
            self._log_failure(step)
        else:
            self.log.debug("a token was loaded", user_id=self.user_id)
        return step

    def failed(self, attempt: Attempt, error: Exception) -> Step:
        """The provider failed."""
        in_doubt = self._source is not None and self._source.in_doubt
        step = self._renewal.failed(attempt, error, self.now(), in_doubt=in_doubt)
        if step.attempt is not None or step.ended is not None:
            self._log_failure(step, error)
        return step

    def late(self, attempt: Attempt) -> Step:
        """The provider had its time."""
        seconds = self.pace.provider_timeout.total_seconds()
        return self.failed(attempt, TimeoutError(f"the token provider did not answer within {seconds:g} s"))

    def _log_failure(self, step: Step, error: Exception | None = None) -> None:
        fault = error if error is not None else step.ended
        reason = fault.reason if isinstance(fault, AuthClientError) else ""
        log = self.log.bind(user_id=self.user_id, count=self._renewal.failures, reason=reason, exception=error)
        if step.attempt is not None:
            log.info("the token provider is asked again")
        elif self.current() is not None:
            # Nobody is told by an exception: the token is still good, and the calls go on with it.
            log.warn("a token could not be renewed ahead of its end")
        else:
            log.debug("no token could be loaded")
