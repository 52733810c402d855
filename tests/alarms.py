"""Alarms that ring when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial


@dataclass(eq=False)
class Waiting:
    """An alarm that was set and has neither rung nor been called off."""

    span: timedelta
    ring: Callable[[], None]


@dataclass
class HandAlarms:
    """Stands in for threads that wait: the alarms in the order they were set."""

    waiting: list[Waiting] = field(default_factory=list)

    def __call__(self, span: timedelta, ring: Callable[[], None]) -> Callable[[], None]:
        alarm = Waiting(span, ring)
        self.waiting.append(alarm)
        return partial(self._call_off, alarm)

    @property
    def spans(self) -> list[timedelta]:
        return [alarm.span for alarm in self.waiting]

    def ring_first(self) -> None:
        """Let the alarm that was set first ring, as if its time had come."""
        self.waiting.pop(0).ring()

    def _call_off(self, alarm: Waiting) -> None:
        self.waiting = [other for other in self.waiting if other is not alarm]
