"""Levels for a while."""

from __future__ import annotations

from datetime import timedelta

import pytest

from authsvc.logs import Held, Level, LoggerSystem, LogSettingError, TemporaryLevels
from tests.alarms import HandAlarms
from tests.logs.keeping import NOW, Keeping, system

MINUTE = timedelta(minutes=1)


def for_a(span: timedelta, **levels: str | None) -> dict[str, Held]:
    """Those levels, by scope, until that long from now."""
    return {scope: Held(level, NOW + span) for scope, level in levels.items()}


@pytest.fixture
def logs() -> LoggerSystem:
    """A system with the scopes audit, rpc and storage; rpc is configured to warn."""
    logs = system()
    logs.configure_levels({"rpc": "warn"})
    return logs


@pytest.fixture
def alarms() -> HandAlarms:
    return HandAlarms()


@pytest.fixture
def ended() -> list[tuple[str, ...]]:
    """The scopes that were told to be over, call by call."""
    return []


@pytest.fixture
def temporary(logs: LoggerSystem, alarms: HandAlarms, ended: list[tuple[str, ...]]) -> TemporaryLevels:
    return TemporaryLevels(logs, clock=lambda: NOW, alarm=alarms, ended=ended.append)


def test_holds_at_once(logs: LoggerSystem, temporary: TemporaryLevels) -> None:
    """A temporary level is followed from the next call on, by loggers handed out before."""
    kept = Keeping()
    logs.configure_loggers({"default": {"sink": kept}})
    log = logs.get_logger("storage")
    log.debug("before")
    temporary.hold(for_a(MINUTE, storage="debug"))
    log.debug("during")
    assert kept.messages == ["during"]


def test_goes_back_to_what_was_configured(
    logs: LoggerSystem, temporary: TemporaryLevels, alarms: HandAlarms, ended: list[tuple[str, ...]]
) -> None:
    """When the time is over, a scope with a level of its own has it again, and one without follows the default."""
    before = logs.configured_levels()
    temporary.hold(for_a(MINUTE, rpc="trace", storage="debug"))
    assert alarms.spans == [MINUTE], "one alarm for all that end together"
    alarms.ring_first()
    assert logs.configured_levels() == before
    assert ended == [("rpc", "storage")]


def test_none_is_the_defaults(logs: LoggerSystem, temporary: TemporaryLevels, alarms: HandAlarms) -> None:
    """A scope may be made to follow the default for a while."""
    temporary.hold(for_a(MINUTE, rpc=None))
    assert logs.levels()["rpc"] is Level.INFO
    alarms.ring_first()
    assert logs.levels()["rpc"] is Level.WARN


def test_default_too(logs: LoggerSystem, temporary: TemporaryLevels, alarms: HandAlarms) -> None:
    """The default is a scope like others: what follows it follows the change, and back."""
    temporary.hold(for_a(MINUTE, default="error"))
    assert (logs.levels()["storage"], logs.levels()["rpc"]) == (Level.ERROR, Level.WARN)
    alarms.ring_first()
    assert logs.levels()["storage"] is Level.INFO


def test_a_later_level_of_a_scope_takes_its_place(
    logs: LoggerSystem, temporary: TemporaryLevels, alarms: HandAlarms, ended: list[tuple[str, ...]]
) -> None:
    """A second change of a scope has the new level and time; afterwards what was before the first is back."""
    temporary.hold(for_a(MINUTE, rpc="debug"))
    temporary.hold(for_a(2 * MINUTE, rpc="trace"))
    assert alarms.spans == [2 * MINUTE], "the first alarm is called off"
    assert logs.levels()["rpc"] is Level.TRACE
    alarms.ring_first()
    assert logs.levels()["rpc"] is Level.WARN
    assert ended == [("rpc",)]


def test_each_scope_has_its_own_end(
    logs: LoggerSystem, temporary: TemporaryLevels, alarms: HandAlarms, ended: list[tuple[str, ...]]
) -> None:
    """What ends first goes back first, and what holds longer stays."""
    temporary.hold({**for_a(2 * MINUTE, rpc="trace"), **for_a(MINUTE, storage="debug")})
    alarms.waiting.sort(key=lambda alarm: alarm.span)
    alarms.ring_first()
    assert (logs.levels()["storage"], logs.levels()["rpc"]) == (Level.INFO, Level.TRACE)
    alarms.ring_first()
    assert logs.levels()["rpc"] is Level.WARN
    assert ended == [("storage",), ("rpc",)]


def test_what_is_wanted_no_more_goes_back(
    logs: LoggerSystem, temporary: TemporaryLevels, alarms: HandAlarms, ended: list[tuple[str, ...]]
) -> None:
    """A scope that is left out is as configured at once, and nobody is told that a time was over."""
    temporary.hold(for_a(MINUTE, rpc="trace", storage="debug"))
    temporary.hold(for_a(MINUTE, storage="debug"))
    assert (logs.levels()["storage"], logs.levels()["rpc"]) == (Level.DEBUG, Level.WARN)
    assert (alarms.spans, ended) == ([MINUTE], [])


def test_the_same_again_sets_no_second_alarm(temporary: TemporaryLevels, alarms: HandAlarms) -> None:
    """Being told twice of what holds already changes nothing."""
    temporary.hold(for_a(MINUTE, rpc="trace"))
    states = temporary.states()
    temporary.hold(for_a(MINUTE, rpc="trace"))
    assert (alarms.spans, temporary.states()) == ([MINUTE], states)


@pytest.mark.parametrize("span", [timedelta(0), -MINUTE])
def test_what_is_over_already_is_left_out(
    logs: LoggerSystem, temporary: TemporaryLevels, alarms: HandAlarms, span: timedelta
) -> None:
    """A level whose time is over is not laid, and ends one of the same scope that held."""
    temporary.hold(for_a(MINUTE, rpc="trace"))
    before = logs.levels()["storage"]
    temporary.hold(for_a(span, rpc="debug", storage="debug"))
    assert (logs.levels()["rpc"], logs.levels()["storage"]) == (Level.WARN, before)
    assert alarms.waiting == []


def test_alarm_that_rings_while_it_is_called_off(
    logs: LoggerSystem, temporary: TemporaryLevels, alarms: HandAlarms, ended: list[tuple[str, ...]]
) -> None:
    """An alarm too far gone to be called off takes nothing away from the change after it."""
    temporary.hold(for_a(MINUTE, rpc="debug"))
    (late,) = alarms.waiting
    temporary.hold(for_a(2 * MINUTE, rpc="trace"))
    late.ring()
    assert logs.levels()["rpc"] is Level.TRACE
    assert ended == []


def test_end(logs: LoggerSystem, temporary: TemporaryLevels, alarms: HandAlarms, ended: list[tuple[str, ...]]) -> None:
    """Ended by hand, every scope is as configured at once, no alarm is left, and nobody is told a time was over."""
    before = logs.configured_levels()
    temporary.hold(for_a(MINUTE, rpc="debug", default="error", storage="trace"))
    assert logs.configured_levels() != before
    temporary.end()
    assert logs.configured_levels() == before
    assert alarms.waiting == []
    assert ended == []


@pytest.mark.parametrize("levels", [{"rpc": "loud"}, {"rpc": "debug", "nowhere": "debug"}])
def test_unknown_names_change_nothing(
    logs: LoggerSystem, temporary: TemporaryLevels, alarms: HandAlarms, levels: dict[str, str]
) -> None:
    """A level or scope that is unknown is an error, before any scope was changed or any alarm set."""
    before = logs.levels()
    with pytest.raises(LogSettingError):
        temporary.hold(for_a(MINUTE, **levels))
    assert logs.levels() == before
    assert alarms.waiting == []
    temporary.end()
    assert logs.levels() == before


def test_states(temporary: TemporaryLevels) -> None:
    """Every scope is told with its level, whether it follows the default, and the end of a temporary level."""
    temporary.hold(for_a(MINUTE, storage="debug"))
    told = [(each.scope, str(each.level), each.follows_default, each.until) for each in temporary.states()]
    assert told == [
        ("audit", "info", True, None),
        ("default", "info", False, None),
        ("rpc", "warn", False, None),
        ("storage", "debug", False, NOW + MINUTE),
    ]


def test_states_of_a_scope_that_follows_for_a_while(temporary: TemporaryLevels) -> None:
    """A scope made to follow the default says both: that it follows, and until when."""
    temporary.hold(for_a(MINUTE, rpc=None))
    (rpc,) = (state for state in temporary.states() if state.scope == "rpc")
    assert (rpc.level, rpc.follows_default, rpc.until) == (Level.INFO, True, NOW + MINUTE)
