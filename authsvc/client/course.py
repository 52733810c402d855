"""The course of one call, for callers that wait and callers that await: its deadline, its repeats, what is logged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from authsvc.client.credential import Bearer, Metadata
from authsvc.client.errors import AuthClientError, DeadlineExceeded, Failure, Unavailable
from authsvc.client.retries import NO_RETRIES, Retries
from authsvc.client.spans import positive
from authsvc.client.tracing import TraceContext, trace_context
from authsvc.clock import Randomness, deadline_after, seconds_left

if TYPE_CHECKING:
    from authsvc.logs import Logger

TIMEOUT = timedelta(seconds=5)
RETRIES = Retries()
PLACES = 64
"""Calls of a client that are in flight at once; others wait for their turn.

The service refuses streams of a connection beyond 128, and counts those that have just ended for a moment longer than
the library of the client does: refusals were seen from 100 on.
"""


@dataclass(frozen=True, slots=True)
class Rules:
    """What all calls of a client have in common."""

    bearer: Bearer
    timeout: timedelta
    retries: Retries
    randomness: Randomness
    log: Logger
    trace_context: TraceContext

    def without_credential(self) -> Rules:
        """The same for calls that show no credential."""
        return replace(self, bearer=Bearer(None))

    def metadata(self) -> Metadata:
        """What goes with a call that is made now."""
        return (*self.trace_context(), *self.bearer.metadata())

    def course(self, method: str, timeout: timedelta | None, *, repeats: bool) -> Course:
        """Begin a call: its time runs from now."""
        limit = self.timeout if timeout is None else timeout
        return Course(self, method, limit, self.retries if repeats else NO_RETRIES)


def rules_for(bearer: Bearer, *, timeout: timedelta, retries: Retries, randomness: Randomness, log: Logger) -> Rules:
    """The rules of a client; raises ``ValueError`` for a timeout that leaves no time, ``TypeError`` for none at all."""
    return Rules(bearer, positive("timeout", timeout), retries, randomness, log, trace_context())


class Course:
    """One call from its first attempt to its end; ``timeout`` is for all attempts and pauses together."""

    def __init__(self, rules: Rules, method: str, timeout: timedelta, retries: Retries) -> None:
        self._rules = rules
        self._method = method
        self._timeout = positive("timeout", timeout).total_seconds()
        self._deadline = deadline_after(self._timeout)
        self._delays = retries.delays()
        self._attempts = 1

    def seconds_left(self) -> float:
        """What the next attempt has."""
        return max(seconds_left(self._deadline), 0)

    def metadata(self) -> Metadata:
        """What goes with the next attempt."""
        return self._rules.metadata()

    def succeeded(self) -> None:
        """Note the end of a call that was answered."""
        self._ended("OK", "")

    def seconds_until_repeat(self, error: AuthClientError) -> float:
        """How long to wait before the next attempt; raises ``error`` where there is none."""
        delay = self._delay(error)
        if delay is None or delay >= self.seconds_left():
            self._ended(error.code, error.reason)
            raise error
        self._attempts += 1
        self._rules.log.info(
            "the call is repeated",
            method=self._method,
            code=error.code,
            reason=error.reason,
            elapsed_ms=self._elapsed_ms(),
        )
        return delay

    def _delay(self, error: AuthClientError) -> float | None:
        delay = next(self._delays, None) if isinstance(error, Unavailable) else None
        if delay is None or error.retry_after is None:
            return delay
        return delay + error.retry_after.total_seconds()

    def _ended(self, code: str, reason: str) -> None:
        # The caller is told of a failure: here it is for whoever looks for one.
        self._rules.log.debug(
            "call",
            method=self._method,
            code=code,
            reason=reason,
            duration_ms=self._elapsed_ms(),
            count=self._attempts,
        )

    def _elapsed_ms(self) -> float:
        return round((self._timeout - seconds_left(self._deadline)) * 1_000, 3)


def no_turn() -> DeadlineExceeded:
    """What a call ends with that waited for its turn until its time was over."""
    text = f"{PLACES} calls of this client were in flight, and none ended in time"
    return DeadlineExceeded(Failure("DEADLINE_EXCEEDED", reason="DEADLINE_EXCEEDED", message=text))
