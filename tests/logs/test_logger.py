"""Loggers: what their methods write, tags and bound fields."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from authsvc.logs import Level, Logger, LoggerSystem, LogSettingError
from tests.logs.keeping import NOW, Keeping, system


@pytest.fixture
def sink() -> Keeping:
    return Keeping()


@pytest.fixture
def logs(sink: Keeping) -> LoggerSystem:
    logs = system(sink)
    logs.configure_loggers({"default": {"level": "trace"}})
    return logs


@pytest.fixture
def log(logs: LoggerSystem) -> Logger:
    return logs.get_logger("rpc")


@pytest.mark.parametrize("level", Level)
def test_sink_gets_level_message_event(log: Logger, sink: Keeping, level: Level) -> None:
    """A sink is called with the level, the message and the event: time, scope and fields."""
    getattr(log, str(level))("said", count=3, code="OK")
    assert sink.calls == [
        (level, "said", {"at": "2026-03-04T05:06:07.000089Z", "scope": "rpc", "count": 3, "code": "OK"})
    ]


@pytest.mark.parametrize("least", Level)
def test_level_is_a_floor(logs: LoggerSystem, log: Logger, sink: Keeping, least: Level) -> None:
    """A scope writes events of its level and above, and no others."""
    logs.configure_loggers({"rpc": {"level": least}})
    for level in Level:
        getattr(log, str(level))(str(level))
    assert sink.messages == [str(level) for level in Level if level >= least]


def test_bind(log: Logger, sink: Keeping) -> None:
    """A bound field is in each event of the new logger, in none of the old; a call's own field wins."""
    bound = log.bind(app="a", code="X").bind(count=1)
    bound.info("x", code="Y")
    assert sink.event == {"app": "a", "code": "Y", "count": 1}
    sink.calls.clear()
    log.info("x")
    assert sink.event == {}


def test_unbind_and_new(log: Logger, sink: Keeping) -> None:
    """Taking bound fields away makes a new logger too, and leaves the old one as it was."""
    bound = log.bind(app="a", count=1)
    bound.unbind("app").info("x")
    bound.new(code="Y").info("x")
    bound.info("x")
    fields = [{name for name in event if name not in ("at", "scope")} for _, _, event in sink.calls]
    assert fields == [{"count"}, {"code"}, {"app", "count"}]


def test_tags(logs: LoggerSystem, sink: Keeping) -> None:
    """Tags are added by get_logger and with_tags, in order, each once; the old logger keeps its own."""
    log = logs.get_logger("rpc", tags=["user"])
    more = log.with_tags("call", "user").with_tags("ring")
    for each in (more, more.bind(count=1), log, logs.get_logger("rpc")):
        each.info("x")
    assert [event.get("tags") for _, _, event in sink.calls] == [("user", "call", "ring")] * 2 + [("user",), None]


def test_tags_are_a_list(logs: LoggerSystem) -> None:
    """One text where tags are asked for is an error, not a list of its letters."""
    with pytest.raises(LogSettingError, match="a list of texts"):
        logs.get_logger("rpc", tags="user")


@pytest.mark.parametrize("name", ["at", "level", "scope", "message", "tags"])
def test_heading_is_its_own(log: Logger, sink: Keeping, name: str) -> None:
    """A field named like a part of the heading takes nothing of the heading's place."""
    given: dict[str, Any] = {name: "forged"}
    log.with_tags("t").bind(**given).error("true", **given)
    [(level, message, event)] = sink.calls
    assert (level, message) == (Level.ERROR, "true")
    assert event == {"at": "2026-03-04T05:06:07.000089Z", "scope": "rpc", "tags": ("t",), f"{name}_": "***"}


@pytest.mark.parametrize("name", ["self", "event", "method_name", "logger", "fields", "route"])
def test_any_field_name(log: Logger, sink: Keeping, name: str) -> None:
    """No name of a field makes a call fail, whatever the parameters inside are called."""
    given: dict[str, Any] = {name: 1}
    log.bind(**given).new(**given).info("x", **given)
    assert sink.event == {name: "***"}


@pytest.mark.parametrize(
    ("now", "at"),
    [
        (NOW, "2026-03-04T05:06:07.000089Z"),
        (NOW + timedelta(microseconds=910), "2026-03-04T05:06:07.000999Z"),
        (NOW + timedelta(seconds=2), "2026-03-04T05:06:09.000089Z"),
        (NOW - timedelta(seconds=8), "2026-03-04T05:05:59.000089Z"),
        (NOW + timedelta(days=1, microseconds=-89), "2026-03-05T05:06:07.000000Z"),
        (NOW.astimezone(timezone(timedelta(hours=5, minutes=30))), "2026-03-04T05:06:07.000089Z"),
        (
            datetime(2026, 3, 4, 0, 36, 7, tzinfo=timezone(timedelta(hours=-5, minutes=-30))),
            "2026-03-04T06:06:07.000000Z",
        ),
        (datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), "1999-12-31T23:59:59.999999Z"),
    ],
)
def test_at(sink: Keeping, now: datetime, at: str) -> None:
    """`at` is the clock's time in UTC with microseconds, whichever way the clock has gone since the last event."""
    times = iter([NOW, now])
    log = LoggerSystem(["rpc"], clock=lambda: next(times), built_in=sink).get_logger("rpc")
    log.info("before")
    log.info("x")
    assert [event["at"] for _, _, event in sink.calls] == ["2026-03-04T05:06:07.000089Z", at]


def test_disabled_call_asks_nothing(sink: Keeping) -> None:
    """A call below the level reads no clock and calls no sink."""
    asked: list[str] = []

    def clock() -> datetime:
        asked.append("time")
        return NOW

    log = LoggerSystem(["rpc"], clock=clock, built_in=sink).get_logger("rpc")
    log.debug("x", count=1)
    assert (asked, sink.calls) == ([], [])
    log.info("x", count=1)
    assert (asked, sink.messages) == (["time"], ["x"])
