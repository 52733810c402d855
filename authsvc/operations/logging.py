"""The use cases for logging: what each scope writes, and another level for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches

from authsvc.clock import Clock
from authsvc.errors import CallerForbidden, Faults, Reason
from authsvc.logs import LEVEL_NAMES, Alarm, LoggerSystem, ScopeState, TemporaryLevels
from authsvc.model import Principal

DEFAULT_SPAN = timedelta(hours=1)
SHORTEST_SPAN = timedelta(seconds=1)
LONGEST_SPAN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class WantedLevel:
    """A scope and the level it shall write from; empty: the default's."""

    scope: str
    level: str


@dataclass(frozen=True, slots=True)
class Span:
    """A duration as the wire has it."""

    seconds: int
    nanos: int = 0


@dataclass(frozen=True, slots=True)
class LoggingChange:
    """What a request asks for. ``span`` None: the default; ``reset``: earlier changes end first."""

    levels: tuple[WantedLevel, ...] = ()
    span: Span | None = None
    reset: bool = False


class LoggingAdmin:
    """Every method needs a principal with all apps (APP_NOT_ALLOWED): what is logged is about all of them.

    Changes hold in this process, for their time or until it ends.
    """

    def __init__(self, logs: LoggerSystem, *, clock: Clock, alarm: Alarm) -> None:
        self._scopes = logs.scopes
        self._audit = logs.get_logger("audit")
        self._temporary = TemporaryLevels(logs, clock=clock, alarm=alarm, ended=self._ended)

    def get(self, principal: Principal) -> tuple[ScopeState, ...]:
        """Every scope, by name."""
        _check_all_apps(principal)
        return self._temporary.states()

    def configure(self, principal: Principal, change: LoggingChange) -> tuple[ScopeState, ...]:
        """Change levels for a while; returns every scope as it is then.

        Raises ``InvalidRequest`` with every fault at once, and then nothing has changed.
        """
        _check_all_apps(principal)
        span = _judge(change, self._scopes)
        self._audit.info(  # before the change, so that one which silences the audit is in it
            "logging configured",
            principal=principal.account_id,
            action="logging.reset" if change.reset else "logging.configured",
            setting=",".join(f"{wanted.scope}={wanted.level}" for wanted in change.levels),
            detail=f"for {span.total_seconds():.0f} s" if change.levels else "",
            outcome="done",
        )
        if change.reset:
            self._temporary.end()
        if change.levels:
            self._temporary.lay({wanted.scope: wanted.level or None for wanted in change.levels}, span)
        return self._temporary.states()

    def close(self) -> None:
        """End every change."""
        self._temporary.end()

    def _ended(self, scopes: tuple[str, ...]) -> None:
        self._audit.info("logging restored", action="logging.restored", setting=",".join(scopes), outcome="done")


def _check_all_apps(principal: Principal) -> None:
    if not principal.all_apps:
        raise CallerForbidden(Reason.APP_NOT_ALLOWED)


def _judge(change: LoggingChange, scopes: tuple[str, ...]) -> timedelta:
    """For how long; raises ``InvalidRequest``."""
    faults = Faults()
    if not change.levels and not change.reset:
        faults.add("levels", "must name a scope, unless reset is true")
    for index, wanted in enumerate(change.levels):
        if wanted.scope not in scopes:
            faults.add(f"levels[{index}].scope", _unknown_scope(wanted.scope, scopes))
        elif wanted.scope in (earlier.scope for earlier in change.levels[:index]):
            faults.add(f"levels[{index}].scope", "is there twice")
        if wanted.level and wanted.level not in LEVEL_NAMES:
            faults.add(f"levels[{index}].level", f"must be one of {', '.join(LEVEL_NAMES)}, or empty: the default's")
    span = DEFAULT_SPAN if change.span is None else _span(change.span, faults)
    if change.span is not None and not change.levels:
        faults.add("duration", "is how long levels hold: name them, or leave it out")
    faults.refuse_any()
    return span


def _unknown_scope(name: str, scopes: tuple[str, ...]) -> str:
    # The name itself is not repeated: it is whatever the caller sent.
    near = get_close_matches(name[:64], scopes, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"must be a scope of this server. {hint}Known: {', '.join(scopes)}"


def _span(span: Span, faults: Faults) -> timedelta:
    if span.nanos == 0 and SHORTEST_SPAN.total_seconds() <= span.seconds <= LONGEST_SPAN.total_seconds():
        return timedelta(seconds=span.seconds)
    faults.add("duration", "must be whole seconds, from 1 second to 24 hours")
    return DEFAULT_SPAN
