"""Log levels as rows and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from authsvc.clock import from_microseconds, to_microseconds
from authsvc.model import ApiKey, Gone, LogLevel, Revision, Subject

COLUMNS: Final = "scope, level, until, revision"


def to_row(level: LogLevel) -> tuple[Any, ...]:
    """The columns ``COLUMNS`` of a level."""
    return level.scope, level.level, to_microseconds(level.until), level.revision


def from_row(row: tuple[Any, ...]) -> LogLevel:
    """The level in the columns ``COLUMNS``."""
    scope, level, until, revision = row
    return LogLevel(scope, level, from_microseconds(until), Revision(revision))


def level_changes(
    levels: Sequence[LogLevel], forgotten: Iterable[str], revision: Revision
) -> tuple[LogLevel | Gone, ...]:
    """What the feed tells of levels that were set; ``forgotten``: the scopes whose levels were there before."""
    given = {level.scope for level in levels}
    gone = (Gone(Subject.LEVEL, ApiKey(""), scope, revision) for scope in sorted(set(forgotten) - given))
    return *(replace(level, revision=revision) for level in levels), *gone


def check_levels(levels: Sequence[LogLevel]) -> None:
    """Raise ``ValueError`` where a scope has two."""
    if len({level.scope for level in levels}) != len(levels):
        raise ValueError("a scope has one level at a time")
