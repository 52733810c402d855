"""Levels, and the error that a wrong logging setting raises."""

from __future__ import annotations

from difflib import get_close_matches
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


class LogSettingError(ValueError):
    """A logging setting that means nothing; the text names what is known instead."""


class Level(IntEnum):
    """How severe an event is: `Level.WARN > Level.INFO`, `str(Level.WARN) == "warn"`."""

    TRACE = 0
    DEBUG = 1
    INFO = 2
    WARN = 3
    ERROR = 4

    def __str__(self) -> str:
        return self.name.lower()


LEVEL_NAMES: Final = tuple(str(level) for level in Level)
"""Indexed by level: `LEVEL_NAMES[Level.WARN] == "warn"`."""


def level_named(name: object) -> Level:
    """The level called `name` ("trace" … "error"), or `name` itself where it is a Level.

    Numbers are refused: 3 reads as "warn" here and as something else in most other systems.
    Raises LogSettingError, which names the five.
    """
    if isinstance(name, Level):
        return name
    if isinstance(name, str) and name in LEVEL_NAMES:
        return Level[name.upper()]
    raise unknown("level", name, LEVEL_NAMES)


def parse_levels(text: str) -> dict[str, Level]:
    """Read `default=info,storage=debug` (AUTHSVC_LOG_LEVELS): scope to level.

    Spaces around names are ignored, an empty text changes nothing. Whether a scope exists
    is for the system to say: `system.configure_levels(parse_levels(text))`.
    Raises LogSettingError for an entry without `=`, a scope given twice, an unknown level.
    """
    levels: dict[str, Level] = {}
    for entry in text.split(",") if text.strip() else ():
        scope, level = _entry(entry)
        if scope in levels:
            raise LogSettingError(f"scope {scope!r} is given twice")
        levels[scope] = level
    return levels


def unknown(kind: str, name: object, known: Iterable[str]) -> LogSettingError:
    """The error for a name that is not one of `known`, with the nearest where there is one."""
    names = list(known)
    # Only text and numbers are echoed: another object's repr is not ours to print.
    shown = repr(name)[:80] if isinstance(name, str | int) else type(name).__name__
    near = get_close_matches(name, names, n=1) if isinstance(name, str) else []
    hint = f", did you mean {near[0]!r}?" if near else "."
    return LogSettingError(f"unknown {kind} {shown}{hint} Known: {', '.join(names)}")


def _entry(entry: str) -> tuple[str, Level]:
    scope, equals, level = (part.strip() for part in entry.partition("="))
    if not (scope and equals and level):
        raise LogSettingError(f"{entry.strip()!r} is not <scope>=<level>; write for example default=info,storage=debug")
    return scope, level_named(level)
