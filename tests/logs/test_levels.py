"""Levels and the setting AUTHSVC_LOG_LEVELS."""

from __future__ import annotations

from typing import Any

import pytest

from authsvc.logs import Level, LogSettingError, parse_levels
from authsvc.logs.levels import level_named


def test_order() -> None:
    """Levels are trace 0, debug 1, info 2, warn 3, error 4."""
    assert {str(level): int(level) for level in Level} == {"trace": 0, "debug": 1, "info": 2, "warn": 3, "error": 4}


@pytest.mark.parametrize("level", Level)
def test_named(level: Level) -> None:
    """A level can be given by its name or as itself."""
    assert level_named(str(level)) is level
    assert level_named(level) is level


@pytest.mark.parametrize("name", ["inof", "INFO", "", "warning", 2, True, None, b"info", ["info"]])
def test_unknown_level(name: Any) -> None:
    """An unknown level is an error that names the known ones."""
    with pytest.raises(LogSettingError, match=r"unknown level .* Known: trace, debug, info, warn, error$"):
        level_named(name)


def test_nearest() -> None:
    """A misspelt name is answered with the nearest."""
    with pytest.raises(LogSettingError, match="unknown level 'inof', did you mean 'info'"):
        level_named("inof")


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("default=info,storage=debug", {"default": Level.INFO, "storage": Level.DEBUG}),
        (" default = warn , client.tokens=trace ", {"default": Level.WARN, "client.tokens": Level.TRACE}),
        ("audit=error", {"audit": Level.ERROR}),
        ("", {}),
        ("  ", {}),
    ],
)
def test_parse(text: str, levels: dict[str, Level]) -> None:
    """`scope=level` entries, separated by commas, spaces ignored, are read into a mapping."""
    assert parse_levels(text) == levels


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("debug", "'debug' is not <scope>=<level>; write for example default=info"),
        ("storage=", "'storage=' is not <scope>=<level>"),
        ("=debug", "'=debug' is not"),
        ("default=info,", "'' is not"),
        ("default=info;storage=debug", "unknown level 'info;storage=debug'"),
        ("storage=verbose", "unknown level 'verbose'.* Known: trace, debug"),
        ("storage=debug,storage=info", "scope 'storage' is given twice"),
    ],
)
def test_parse_refuses(text: str, says: str) -> None:
    """What cannot be read is an error that says which entry, and how to write it."""
    with pytest.raises(LogSettingError, match=says):
        parse_levels(text)
