"""Saying whether a token is good: by what is known here, quickly where it was said before."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from authsvc.client.spans import positive
from authsvc.client.verifier.age import Age
from authsvc.client.verifier.checked import CheckedToken, TokenNotActive, kept
from authsvc.client.verifier.memory import NEVER, Known, Memory, Signatures
from authsvc.client.verifier.trusted import Trusted
from authsvc.clock import Clock, Monotonic, system_clock, system_monotonic
from authsvc.model import ApiKey, TokenStatus
from authsvc.verify.questions import Questions, no_questions
from authsvc.verify.verifier import Verifier

REMEMBERED = 32_768
_CACHED_ANSWER = timedelta(seconds=30)
_ANSWER_SIZE = 1024  # of a token whose text is not here any more: about what they are
_ACTIVE = TokenStatus.ACTIVE


class Judge:
    """Judges tokens of one app. ``max_staleness``: how old what is known may be.

    Remembers what was good, and whose signature fitted, by the SHA-256 of its token, and no token.
    """

    def __init__(
        self,
        api_key: ApiKey,
        trusted: Trusted,
        age: Age,
        *,
        max_staleness: timedelta,
        audiences: Sequence[str],
        clock: Clock,
        monotonic: Monotonic,
        remembered: int = REMEMBERED,
    ) -> None:
        if not api_key:
            raise ValueError("name the app whose tokens are checked")
        positive("max_staleness", max_staleness)
        names = _names(audiences)
        self.trusted = trusted
        self.age = age
        self.nothing_asked = no_questions(names)
        self.unheard: Exception | None = None
        """Why nothing newer is heard, where that is known."""
        self.forked = False
        """Whether this is the copy of a judge in a child of its process: nobody tells it anything."""
        self._api_key = api_key
        self._bound = max_staleness.total_seconds() * 1e9
        self._clock = clock
        self._seconds = _seconds_of(clock)
        self._monotonic = _nanoseconds_of(monotonic)
        self._fresh_until = -math.inf
        self._memory = Memory(remembered)
        self._view = trusted.view
        signatures = Signatures(self._memory)
        self._verifiers = {
            allowed: Verifier(self._view, clock=clock, development_tokens=allowed, signatures=signatures)
            for allowed in (False, True)
        }

    @property
    def ask_service(self) -> bool:
        """Whether tokens of the app can only be checked by asking."""
        policy = self.trusted.policy
        return policy is not None and policy.ask_service

    @property
    def stale(self) -> bool:
        """Whether what is known is too old, or nothing is known yet."""
        return self._monotonic() > self._fresh_until

    def refresh(self) -> None:
        """To be called whenever something was heard: until when it counts is worked out once, not for each token."""
        known = self.trusted.policy is not None
        self._fresh_until = self._monotonic() + self._bound - self.age.nanoseconds if known else -math.inf

    def forget_old(self, told: datetime) -> None:
        """Forget revocations of what can no longer live; ``told`` is the time by the service's clock.

        By whichever of both clocks is behind: one that is wrong must not make a revocation look old.
        """
        self.trusted.forget_old(min(told, self._clock()))

    def in_the_child(self) -> None:
        """Know nothing any more: the process has forked, and this is the child."""
        self.forked, self._fresh_until = True, -math.inf

    def remembered(self, digest: bytes) -> CheckedToken | None:
        """A token that was found good before, if it would be found good again; about nothing but itself."""
        known = self._memory.find(digest)
        if known is None:
            return None
        changes, since, until, token = known
        if changes != self._view.changes or self._monotonic() > self._fresh_until:
            return None
        return token if since <= self._seconds() < until else None

    def judge(self, token: str, digest: bytes, questions: Questions) -> CheckedToken:
        """Judge by what is known, whose age the caller has looked at; raises ``TokenNotActive``."""
        policy, changes = self.trusted.policy, self._view.changes
        verifier = self._verifiers[policy is not None and policy.development_tokens]
        verdict = verifier.verify(token, api_key=self._api_key, questions=questions, digest=digest)
        verified = verdict.token
        if verified is None:
            raise TokenNotActive(verdict.status.value)
        checked = CheckedToken(verified)
        if questions is self.nothing_asked:
            self._keep(digest, changes, verifier.lasts_until(verdict), checked, len(token))
        elif self._memory.find(digest) is None:
            self._keep(digest, changes, None, checked, len(token))
        if verdict.status is not _ACTIVE:
            raise TokenNotActive(verdict.status.value)
        return checked

    def keep_answer(self, digest: bytes, changes: int, checked: CheckedToken) -> None:
        """Remember what the service said of a token, for a while and as long as nothing is heard of the app.

        ``changes`` is ``self.changes`` from before the service was asked.
        """
        expires = math.inf if checked.expires_at is None else checked.expires_at.timestamp()
        until = min(expires, (self._clock() + _CACHED_ANSWER).timestamp())
        self._memory.keep(digest, Known(changes, self._seconds(), until, checked), _ANSWER_SIZE)

    @property
    def changes(self) -> int:
        """Grows with whatever is learnt."""
        return self._view.changes

    def __len__(self) -> int:
        """How many tokens are remembered."""
        return len(self._memory)

    def _keep(self, digest: bytes, changes: int, until: float | None, checked: CheckedToken, size: int) -> None:
        """Remember the judgement, and the signature where there was one; nothing of a development token."""
        token = kept(checked)
        if token is not None and token.algorithm is not None:
            known = Known(changes, self._seconds(), NEVER if until is None else until, checked)
            self._memory.keep(digest, known, size)


def _names(audiences: Sequence[str]) -> tuple[str, ...]:
    if isinstance(audiences, str):
        raise TypeError("audiences is a list of names, not one")  # its letters would be names that nobody goes by
    names = tuple(audiences)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"audiences are text, not {type(name).__name__}")
    return names


def _seconds_of(clock: Clock) -> Callable[[], float]:
    """The same clock in seconds since 1970; that of the machine directly, as it is read for each token."""
    return time.time if clock is system_clock else lambda: clock().timestamp()


def _nanoseconds_of(monotonic: Monotonic) -> Monotonic:
    return time.monotonic_ns if monotonic is system_monotonic else monotonic
