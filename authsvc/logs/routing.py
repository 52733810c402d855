"""Where an event goes: what was configured per scope, and the routes that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypedDict, TypeVar

from authsvc.logs.levels import Level, LogSettingError, level_named, unknown

if TYPE_CHECKING:
    from collections.abc import Collection

Sink: TypeAlias = Callable[[Level, str, Mapping[str, Any]], object]
"""Takes (level, message, event). The event holds `at`, `scope`, `tags` (where there are any) and
the fields, redacted: a sink may write all of it. It is called on the thread that logs, by several
threads at once, and must not log to the system that calls it."""

DEFAULT: Final = "default"
"""The scope whose level and sink every other scope falls back on."""


class LoggerSettings(TypedDict, total=False):
    """One scope's part of a change. An absent key is kept, None goes back to the scope's own level where it has one,
    else to the default's."""

    level: Level | str | None
    sink: Sink | None


@dataclass(frozen=True, slots=True)
class Route:
    """Where one scope's events go now: those of `level` and above, to `sink`."""

    level: Level
    sink: Sink


@dataclass(frozen=True, slots=True)
class Choices:
    """What was configured, by scope; a scope that is absent follows the default's."""

    levels: Mapping[str, Level] = field(default_factory=dict)
    sinks: Mapping[str, Sink] = field(default_factory=dict)

    def merged(self, changes: Mapping[str, LoggerSettings], scopes: Collection[str]) -> Choices:
        """These choices with `changes` laid over them; raises LogSettingError before any is made."""
        levels, sinks = dict(self.levels), dict(self.sinks)
        for scope, settings in changes.items():
            _check_names(scope, settings, scopes)
            if "level" in settings:
                name = settings["level"]
                _put(levels, scope, None if name is None else level_named(name))
            if "sink" in settings:
                _put(sinks, scope, _callable(settings["sink"]))
        return Choices(levels, sinks)

    def route(self, scope: str, built_in: Route, own: Level | None = None) -> Route:
        """Level and sink of `scope`, each looked up by itself: what was chosen for it, the default's, built in.

        `own` is a level that stands in the place of the default's.
        """
        level = self.levels.get(scope, own)
        return Route(
            self.levels.get(DEFAULT, built_in.level) if level is None else level,
            self.sinks.get(scope, self.sinks.get(DEFAULT, built_in.sink)),
        )


V = TypeVar("V")


def _put(chosen: dict[str, V], scope: str, value: V | None) -> None:
    if value is None:
        chosen.pop(scope, None)
    else:
        chosen[scope] = value


def _check_names(scope: str, settings: object, scopes: Collection[str]) -> None:
    if scope not in scopes:
        raise unknown("scope", scope, sorted(scopes))
    if not isinstance(settings, Mapping):
        raise LogSettingError(f"settings of {scope!r} must map level or sink to a value")
    keys = LoggerSettings.__annotations__
    for key in settings:
        if key not in keys:
            raise unknown(f"key for scope {scope!r}:", key, keys)


def _callable(sink: Sink | None) -> Sink | None:
    if sink is None or callable(sink):
        return sink
    raise LogSettingError(f"a sink is a callable (level, message, event), not {type(sink).__name__}")
