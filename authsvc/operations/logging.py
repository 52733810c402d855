"""The use cases for logging: what each scope writes, and another level for a while, in every worker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches

from authsvc.clock import Clock, Deadline
from authsvc.errors import CallerForbidden, Faults, Reason
from authsvc.logs import LEVEL_NAMES, Alarm, Held, Level, LoggerSystem, ScopeState, TemporaryLevels
from authsvc.model import AuditEvent, Change, Gone, LogLevel, Principal, Subject
from authsvc.storage.base import Store
from authsvc.trust.feed import Learnt
from authsvc.trust.levels import Levels

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

    Changes are kept in the store and hold in every worker that follows it, for their time, restarts included.
    """

    def __init__(self, logs: LoggerSystem, store: Store, levels: Levels, *, clock: Clock, alarm: Alarm) -> None:
        self._scopes = logs.scopes
        self._store = store
        self._levels = levels
        self._clock = clock
        self._audit = logs.get_logger("audit")
        self._logs = logs
        self._watches_audit, self._silenced = False, False
        self._temporary = TemporaryLevels(logs, clock=clock, alarm=alarm, ended=self._ended)
        self._hold()

    def get(self, principal: Principal) -> tuple[ScopeState, ...]:
        """Every scope of this worker, by name."""
        _check_all_apps(principal)
        return self._temporary.states()

    def configure(
        self, principal: Principal, change: LoggingChange, *, deadline: Deadline | None = None
    ) -> tuple[ScopeState, ...]:
        """Change levels for a while; returns every scope as it is then.

        Raises ``InvalidRequest`` with every fault at once, and what the store raises; then nothing has changed.
        """
        _check_all_apps(principal)
        now, span = self._clock(), _judge(change, self._scopes)
        event = AuditEvent(
            at=now,
            action="logging.reset" if change.reset else "logging.configured",
            principal=principal.account_id,
            api_key="",
            subject=",".join(f"{wanted.scope}={wanted.level}" for wanted in change.levels),
            outcome="done",
            reason=f"for {span.total_seconds():.0f} s" if change.levels else "",
        )
        levels = [LogLevel(wanted.scope, wanted.level, now + span) for wanted in change.levels]
        self._store.set_levels(levels, reset=change.reset, audit=event, deadline=deadline)
        return self._temporary.states()

    def follow(self, learnt: Learnt) -> None:
        """Subscribes to the feed: what any worker was told holds in this one too."""
        if learnt.reloaded or any(map(_is_about_levels, learnt.changes)):
            self._hold()

    def watch_audit(self) -> None:
        """From now on say in the audit itself where the lines of issues and refreshes are not written."""
        self._watches_audit = True
        self._look_at_audit()

    def close(self) -> None:
        """End every change in this process; the store keeps them."""
        self._temporary.end()

    def _hold(self) -> None:
        # A worker of another version may know other names: those are not this one's.
        self._temporary.hold(
            {
                level.scope: Held(level.level or None, level.until)
                for level in self._levels.now()
                if level.scope in self._scopes and level.level in ("", *LEVEL_NAMES)
            }
        )

        self._look_at_audit()

    def _look_at_audit(self) -> None:
        level = self._logs.levels()["audit"]
        silenced = level > Level.INFO
        if self._watches_audit and silenced is not self._silenced:
            self._silenced = silenced
            if silenced:  # an error, since that is the one level that nothing silences
                self._audit.error("issues and refreshes are not audited", setting=f"audit={level}")
            else:
                self._audit.info("issues and refreshes are audited again")

    def _ended(self, scopes: tuple[str, ...]) -> None:
        self._look_at_audit()
        self._audit.info("logging restored", action="logging.restored", setting=",".join(scopes), outcome="done")


def _is_about_levels(change: Change) -> bool:
    return isinstance(change, LogLevel) or (isinstance(change, Gone) and change.kind is Subject.LEVEL)


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
