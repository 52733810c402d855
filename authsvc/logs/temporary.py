"""Levels for a while: laid over what is configured, and taken away again when their time is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from authsvc.logs.levels import Level
    from authsvc.logs.system import LoggerSystem

CallOff: TypeAlias = Callable[[], object]
Alarm: TypeAlias = Callable[[timedelta, Callable[[], None]], CallOff]
"""Calls back once, after that time, on a thread of its own; returns what calls that off."""


@dataclass(frozen=True, slots=True)
class Held:
    """A level, or None for the default's, and when it ends."""

    level: Level | str | None
    until: datetime


@dataclass(frozen=True, slots=True)
class ScopeState:
    """What one scope writes now. `until` is set where its level is a temporary one."""

    scope: str
    level: Level
    follows_default: bool
    until: datetime | None


class TemporaryLevels:
    """Changes levels of a system and puts back what was configured before.

    How long is measured by `alarm` from what `clock` says when a level is laid. `ended` is told of the
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
        self._held: dict[str, Held] = {}
        self._alarms: dict[datetime, CallOff] = {}

    def hold(self, wanted: Mapping[str, Held]) -> None:
        """Let exactly these scopes have these levels, each until its moment; all others are as configured.

        What is over already is left out. A scope that is changed already keeps what it goes back to: what was
        configured before its first change. Raises LogSettingError, and then nothing has changed.
        """
        with self._lock:
            now = self._clock()
            self._follow({scope: held for scope, held in wanted.items() if held.until > now}, now)

    def end(self) -> None:
        """End every change now."""
        self.hold({})

    def states(self) -> tuple[ScopeState, ...]:
        """Every scope of the system, by name."""
        with self._lock:
            levels, held = self._logs.levels(), self._held
            return tuple(
                ScopeState(
                    scope,
                    levels[scope],
                    follows_default=self._logs.follows_default(scope),
                    until=held[scope].until if scope in held else None,
                )
                for scope in sorted(levels)
            )

    def _follow(self, held: dict[str, Held], now: datetime) -> None:
        configured = self._logs.configured_levels()
        before = {scope: self._before.get(scope, configured.get(scope)) for scope in held}
        over = {scope: level for scope, level in self._before.items() if scope not in held}
        self._logs.configure_levels({**over, **{scope: each.level for scope, each in held.items()}})
        self._held, self._before = held, before
        self._set_alarms({each.until for each in held.values()}, now)

    def _set_alarms(self, moments: set[datetime], now: datetime) -> None:
        """One for each moment at which something ends."""
        for moment in self._alarms.keys() - moments:
            self._alarms.pop(moment)()
        for moment in moments - self._alarms.keys():
            self._alarms[moment] = self._alarm(moment - now, partial(self._over, moment))

    def _over(self, moment: datetime) -> None:
        with self._lock:
            scopes = tuple(sorted(scope for scope, held in self._held.items() if held.until == moment))
            self._follow({scope: held for scope, held in self._held.items() if held.until != moment}, self._clock())
        if scopes:
            self._ended(scopes)
