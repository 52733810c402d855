"""The rules of refreshing: what a caller gets, when a provider is asked, what is made of its answer.

Nothing here waits, reads a clock or knows threads and loops: whoever does tells what happened and when, and does what
the returned ``Step`` says. One ``Renewal`` is used by one thread at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from authsvc.client.errors import AuthClientError
from authsvc.client.tokens import faults
from authsvc.client.tokens.access_token import AccessToken, read_access_token
from authsvc.client.tokens.pace import Pace, span_of
from authsvc.clock import Randomness
from authsvc.model import TokenStatus

RENEWED_ON = frozenset({TokenStatus.EXPIRED, TokenStatus.REVOKED, TokenStatus.SESSION_REVOKED, TokenStatus.KEY_REVOKED})
"""The verdicts that another token of the same user helps against; on a bad signature the next would be as bad."""

# A little more than nothing: services allow as much, and the clock of this machine may be off.
LEEWAY_SECONDS = 30.0


class Moment(NamedTuple):
    """When something happened: by the wall clock, and in seconds of a clock that is never set."""

    wall: datetime
    ticks: float


class Attempt(NamedTuple):
    """Ask the provider, ``after`` seconds from now; no two have the same number."""

    number: int
    after: float


@dataclass(frozen=True, slots=True)
class Step:
    """What follows from what happened; what is unset is left as it is.

    For the caller who asked: ``token`` to use, or ``waits`` for the load to end. For the one who does the work:
    ``attempt`` to make; ``ended`` tells all who wait how their load ended, ``news`` is a token nobody has seen yet,
    ``renew_after`` says in how many seconds to call ``due``. ``anew``: with another user, or nobody.
    """

    token: AccessToken | None = None
    waits: bool = False
    attempt: Attempt | None = None
    ended: AccessToken | Exception | None = None
    news: AccessToken | None = None
    renew_after: float | None = None
    anew: bool = False


NOTHING = Step()
_LONG_AGO = float("-inf")


@dataclass(frozen=True, slots=True)
class _Held:
    """A token and its times in ticks; None: it has no end. ``since``: when a provider gave it.

    ``verdict``: why the service would not have it any more.
    """

    token: AccessToken
    since: float
    renew_at: float | None = None
    ends_at: float | None = None
    verdict: TokenStatus | None = None

    def usable(self, ticks: float) -> bool:
        return self.verdict is None and (self.ends_at is None or ticks < self.ends_at)


@dataclass(frozen=True, slots=True)
class _Load:
    """A load under way: its attempt, which attempt of it that is, and how many there may be."""

    attempt: int
    tries: int
    limit: int


@dataclass(slots=True)
class _User:
    """Whom the tokens are for, and how it stands with them; ``id`` is not known before the first token of a guest.

    ``failures`` are the provider's, in a row; ``unproved`` those before a token of which it is not known yet whether
    it will be refused. ``refusal`` is what the provider said when it said that asking again is of no use,
    ``trouble`` its last error since it gave a token.
    """

    id: str | None = None
    renewable: bool = False
    held: _Held | None = None
    load: _Load | None = None
    failures: int = 0
    unproved: int = 0
    not_before: float = _LONG_AGO
    refusal: Exception | None = None
    trouble: Exception | None = None


class Renewal:
    """The state of one user's token. ``follow`` begins with a user, ``forget`` ends with nobody."""

    def __init__(self, pace: Pace, randomness: Randomness) -> None:
        self._pace = pace
        self._randomness = randomness
        self._attempts = 0
        self._of = _User()

    @property
    def user_id(self) -> str | None:
        """Whose tokens these are; None before the first token of a guest, and with nobody."""
        return self._of.id

    @property
    def loading(self) -> bool:
        """Whether a load is under way."""
        return self._of.load is not None

    @property
    def failures(self) -> int:
        """How often the provider failed in a row."""
        return self._of.failures

    @property
    def trouble(self) -> Exception | None:
        """The last error of the provider, until it gives a token."""
        return self._of.trouble

    def current(self, now: Moment) -> AccessToken | None:
        """The token that can be used now, without asking anybody."""
        return self._of.held.token if self._of.held is not None and self._of.held.usable(now.ticks) else None

    def is_current(self, attempt: Attempt) -> bool:
        """Whether somebody still waits for what comes of that attempt."""
        return self._of.load is not None and self._of.load.attempt == attempt.number

    def follow(self, user_id: str | None, token: AccessToken | None, now: Moment, *, renewable: bool) -> Step:
        """Begin with a user and, where there is one, the first token; ``renewable``: there is a provider to ask.

        Raises ``WrongUser`` for a token of another user, and ``TokenExpired`` where that is all there is; then nothing
        has changed.
        """
        _check_user(token, user_id)
        expired = token is not None and token.expires_at is not None and token.expires_at <= now.wall.timestamp()
        if expired and not renewable:
            _check_expiry(token, now)
        ended = self._drop()
        self._of = _User(user_id, renewable)
        if token is None:
            return Step(ended=ended, anew=True)
        if expired and renewable:  # shown to nobody, and known: a provider that gives it again has no other
            self._of.held = _Held(token, _LONG_AGO, verdict=TokenStatus.EXPIRED)
            return Step(ended=ended, anew=True)
        return replace(self._hold(token, now, since=_LONG_AGO), ended=ended, anew=True)

    def forget(self) -> Step:
        """End with nobody: no token is left, and what is still loaded is dropped."""
        ended = self._drop()
        self._of = _User()
        return Step(ended=ended, anew=True)

    def drop_load(self) -> None:
        """What is under way will not be answered, and nobody waits for it."""
        self._of.load = None

    def ask(self, now: Moment, *, once: bool = False) -> Step:
        """A caller wants a token. ``once``: with one attempt, made at once, for callers with a pace of their own.

        Raises ``TokenError`` where there can be none now.
        """
        token = self.current(now)
        if token is not None:
            return Step(token=token, attempt=self._ahead(now))
        return self._wait(now, once=once)

    def refused(self, text: str, now: Moment, verdict: TokenStatus = TokenStatus.EXPIRED) -> Step:
        """The service did not accept the token ``text``, with a verdict of ``RENEWED_ON``.

        A token that was replaced meanwhile causes no load: the caller gets the one that replaced it. Raises
        ``TokenExpired``, or ``TokenRefused`` with another verdict, where nobody can be asked for the next.
        """
        held = self._of.held
        if held is not None and held.token.text == text and held.verdict is None:
            self._of.held = replace(held, verdict=verdict)
            self._judge_source(now.ticks - held.since, now)
        return self.ask(now)

    def due(self, token: AccessToken | None, now: Moment) -> Step:
        """It is time to renew that token, unless it is gone; None: to settle a doubt, unless there is a token again."""
        if self._of.load is not None or not self._of.renewable:
            return NOTHING
        if token is None:
            return NOTHING if self.current(now) is not None else Step(attempt=self._start(now, once=True))
        if self._of.held is None or self._of.held.token is not token:
            return NOTHING
        return Step(attempt=self._start(now))

    def arrived(self, attempt: Attempt, text: object, now: Moment) -> Step:
        """The provider answered that attempt."""
        if not self.is_current(attempt):
            return NOTHING
        try:
            token = read_access_token(text)
            _check_user(token, self._of.id)
            held = self._of.held
            known = held is not None and held.token.text == token.text
            if held is not None and known and not held.usable(now.ticks):
                raise _ended(held.verdict, "the token provider gave the same token again")
        except faults.TokenError as fault:
            return self.failed(attempt, fault, now)
        self._of.load, self._of.refusal, self._of.trouble, self._of.not_before = None, None, None, _LONG_AGO
        self._of.unproved, self._of.failures = self._of.failures, 0
        return replace(self._hold(token, now, since=now.ticks), ended=token, news=None if known else token)

    def failed(self, attempt: Attempt, error: Exception, now: Moment, *, in_doubt: bool = False) -> Step:
        """That attempt failed, or its time was up; ``in_doubt`` as ``Source`` has it.

        Those who wait are told in the end. What is in doubt is asked for further, seldom, though nobody waits.
        """
        load = self._of.load
        if load is None or load.attempt != attempt.number:
            return NOTHING
        pause = self._count_failure(now, error)
        self._of.trouble = error
        transient = faults.is_transient(error)
        if transient and load.tries < load.limit and self._of.failures < self._pace.attempts:
            return Step(attempt=self._try(pause, load.tries + 1, load.limit))
        self._of.load = None
        self._of.refusal = None if transient else error
        renew_after = None
        if transient and self.current(now) is not None:
            renew_after = pause
        elif transient and in_doubt:
            renew_after = max(pause, self._pace.doubt_pause.total_seconds() * self._fraction())
        return Step(ended=_told(error, self._of.failures), renew_after=renew_after)

    def _drop(self) -> Exception | None:
        if self._of.load is None:
            return None
        self._of.load = None
        return faults.UserChanged.saying("the user was disconnected while this call waited for a token")

    def _hold(self, token: AccessToken, now: Moment, *, since: float) -> Step:
        self._of.id = token.user_id
        span = span_of(token, now.wall.timestamp())
        if span is None:
            self._of.held = _Held(token, since)
            return NOTHING
        # Even where a backend gives the same token again and again, it is not asked without a pause.
        renewal = max(self._pace.renewal(span.life, span.left, self._fraction()), min(1.0, span.left))
        self._of.held = _Held(token, since, now.ticks + renewal, now.ticks + span.left)
        return Step(renew_after=renewal if self._of.renewable else None)

    def _wait(self, now: Moment, *, once: bool) -> Step:
        if self._of.load is not None:
            return Step(waits=True)
        if not self._of.renewable:
            raise self._without_provider()
        if self._of.refusal is not None and now.ticks < self._of.not_before:
            raise faults.again(self._of.refusal)
        return Step(waits=True, attempt=self._start(now, once=once))

    def _without_provider(self) -> faults.TokenError:
        if self._of.held is None:
            return faults.NoUser.saying("nobody is connected")
        return _ended(self._of.held.verdict, "there is no token provider to ask for the next")

    def _ahead(self, now: Moment) -> Attempt | None:
        held = self._of.held
        due = held is not None and held.renew_at is not None and held.renew_at <= now.ticks
        if not due or self._of.load is not None or not self._of.renewable or now.ticks < self._of.not_before:
            return None
        return self._start(now)

    def _start(self, now: Moment, *, once: bool = False) -> Attempt:
        after = 0.0 if once else max(self._of.not_before - now.ticks, 0.0)
        return self._try(after, 1, 1 if once else self._pace.attempts)

    def _try(self, after: float, tries: int, limit: int) -> Attempt:
        self._attempts += 1
        self._of.load = _Load(self._attempts, tries, limit)
        return Attempt(self._attempts, after)

    def _judge_source(self, age: float, now: Moment) -> None:
        """A provider whose tokens are refused as soon as they come has failed, whatever it says: else it would be
        asked again with each call."""
        if age < self._pace.proving_time.total_seconds():
            self._of.failures = self._of.unproved
            self._count_failure(now)
        else:
            self._of.unproved = 0

    def _count_failure(self, now: Moment, error: Exception | None = None) -> float:
        self._of.failures += 1
        pause = self._pace.pause(self._of.failures, self._fraction())
        if isinstance(error, AuthClientError) and error.retry_after is not None:
            pause += error.retry_after.total_seconds()
        self._of.not_before = now.ticks + pause
        return pause

    def _fraction(self) -> float:
        return int.from_bytes(self._randomness(4), "big") / 2**32


def _ended(verdict: TokenStatus | None, why_no_other: str) -> faults.TokenError:
    """That a token is of no more use, as the service said it, or by its time where the service said nothing."""
    if verdict is None or verdict is TokenStatus.EXPIRED:
        return faults.TokenExpired.saying(f"the token has expired, and {why_no_other}")
    return faults.TokenRefused.saying(f"the service answers {verdict}, and {why_no_other}")


def check_usable(token: AccessToken, user_id: str | None, now: Moment) -> None:
    """What can be seen without a key: raises ``WrongUser``, or ``TokenExpired`` by this machine's clock."""
    _check_user(token, user_id)
    _check_expiry(token, now)


def _check_user(token: AccessToken | None, user_id: str | None) -> None:
    if token is not None and user_id is not None and token.user_id != user_id:
        raise faults.WrongUser.saying("the token is another user's than the one it was asked for")


def _check_expiry(token: AccessToken | None, now: Moment) -> None:
    if token is not None and token.expires_at is not None:
        late = now.wall.timestamp() - token.expires_at
        if late >= LEEWAY_SECONDS:
            raise faults.TokenExpired.saying(f"the token expired {late:.0f} s ago by the clock of this machine")


def _told(error: Exception, failures: int) -> Exception:
    """What those who wait are told: a refusal as it is, other errors as a provider that failed."""
    if not faults.is_transient(error):
        return error
    times = "once" if failures == 1 else f"{failures} times in a row"
    told = faults.ProviderFailed.saying(f"the token provider failed {times}, last with {type(error).__name__}")
    told.__cause__ = error
    if isinstance(error, AuthClientError):
        told.retry_after = error.retry_after
    return told
