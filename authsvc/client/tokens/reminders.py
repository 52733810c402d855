"""What a manager wants to be reminded of: its next attempt or the end of the one under way, and the next renewal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from weakref import WeakMethod

from authsvc.client.tokens.access_token import AccessToken
from authsvc.client.tokens.renewal import Attempt, Step
from authsvc.logs import Alarm

_FOR_EVER = 10 * 365 * 86_400.0  # seconds: who is there then asks for a token and finds that it is time


class Reminders:
    """The alarms that are set for one manager: at most one for its load, one for its token."""

    def __init__(self, alarm: Alarm) -> None:
        self._alarm = alarm
        self._call_off_attempt: Callable[[], object] = _nothing
        self._call_off_renewal: Callable[[], object] = _nothing
        self._settling = False  # the renewal is of a token that is gone: what became of its session is in doubt

    def after(
        self,
        step: Step,
        current: AccessToken | None,
        *,
        begin: Callable[[Attempt], None],
        renew: Callable[[AccessToken | None], None],
    ) -> None:
        """Set and call off what the step changes; ``current`` is the token after it."""
        if step.attempt is not None or step.ended is not None:
            self._call_off_attempt()
            self._call_off_attempt = _nothing
        if step.attempt is not None and step.attempt.after > 0:
            span = timedelta(seconds=step.attempt.after)
            self._call_off_attempt = self._alarm(span, partial(begin, step.attempt))
        goes_on = current is not None or (self._settling and step.ended is None and not step.anew)
        if step.renew_after is not None or not goes_on:
            self._call_off_renewal()
            self._call_off_renewal, self._settling = _nothing, False
        if step.renew_after is not None and step.renew_after < _FOR_EVER:
            self._settling = current is None
            # A manager that only its alarm still knows is gone, and asks for nothing more.
            ring = partial(_ring, WeakMethod(renew), current)
            self._call_off_renewal = self._alarm(timedelta(seconds=step.renew_after), ring)

    def deadline(self, span: timedelta, late: Callable[[], None]) -> None:
        """The attempt under way has so much time."""
        self._call_off_attempt()
        self._call_off_attempt = self._alarm(span, late)


def _nothing() -> None:
    pass


def _ring(renew: WeakMethod[Callable[[AccessToken | None], None]], token: AccessToken | None) -> None:
    alive = renew()
    if alive is not None:
        alive(token)
