"""Levels for a while: laid over what is configured, and taken away again when their time is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

from authsvc.logs.routing import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from authsvc.logs.levels import Level
    from authsvc.logs.system import LoggerSystem

CallOff: TypeAlias = Callable[[], object]
Alarm: TypeAlias = Callable[[timedelta, Callable[[], None]], CallOff]
"""Calls back once, after that time, on a thread of its own; returns what calls that off."""


@dataclass(frozen=True, slots=True)
class ScopeState:
    """What one scope writes now. `until` is set where its level is a temporary one."""

    scope: str
    level: Level
    follows_default: bool
    until: datetime | None


@dataclass(eq=False, slots=True)
class _Change:
    """The levels of one call, as far as no later call took their scopes."""

    until: datetime
    call_off: CallOff | None = None


class TemporaryLevels:
    """Changes levels of a system and puts back what was configured before.

    How long is measured by `alarm`; `clock` only dates what people are told. `ended` is told of the
    scopes whose time is over, on the alarm's thread. Safe to use from any thread.
    """

    def __init__(
        self,
        logs: LoggerSystem,
        *,
        clock: Callable[[], datetime],
        alarm: Alarm,
        ended: Callable[[tuple[str, ...]], object],
    ) -> None:
        self._logs = logs
        self._clock = clock
        self._alarm = alarm
        self._ended = ended
        self._lock = Lock()
        self._before: dict[str, Level | None] = {}
        self._changes: dict[str, _Change] = {}

    def lay(self, levels: Mapping[str, Level | str | None], span: timedelta) -> None:
        """Let each scope write from its level (None: the default's) for `span`.

        A scope that is changed already gets the new level and the new time; what it goes back to stays what was
        configured before the first change. Raises LogSettingError, and then nothing has changed.
        """
        with self._lock:
            configured = self._logs.configured_levels()
            self._logs.configure_levels(levels)
            change = _Change(self._clock() + span)
            for scope in levels:
                self._before.setdefault(scope, configured.get(scope))
                self._supersede(scope)
                self._changes[scope] = change
            change.call_off = self._alarm(span, partial(self._over, change))

    def end(self) -> tuple[str, ...]:
        """End every change now; returns the scopes that went back."""
        with self._lock:
            scopes = tuple(self._changes)
            for scope in scopes:
                self._supersede(scope)
            self._put_back(scopes)
        return scopes

    def states(self) -> tuple[ScopeState, ...]:
        """Every scope of the system, by name."""
        with self._lock:
            own, changes = self._logs.configured_levels(), self._changes.copy()
            levels = self._logs.levels()
        return tuple(
            ScopeState(
                scope,
                levels[scope],
                follows_default=scope != DEFAULT and scope not in own,
                until=changes[scope].until if scope in changes else None,
            )
            for scope in sorted(levels)
        )

    def _over(self, change: _Change) -> None:
        with self._lock:
            scopes = tuple(scope for scope, current in self._changes.items() if current is change)
            for scope in scopes:
                del self._changes[scope]
            self._put_back(scopes)
        if scopes:
            self._ended(scopes)

    def _supersede(self, scope: str) -> None:
        """Take a scope out of its change; a change without scopes needs no alarm any more."""
        change = self._changes.pop(scope, None)
        if change is not None and change not in self._changes.values() and change.call_off is not None:
            change.call_off()

    def _put_back(self, scopes: Iterable[str]) -> None:
        self._logs.configure_levels({scope: self._before.pop(scope) for scope in scopes})
