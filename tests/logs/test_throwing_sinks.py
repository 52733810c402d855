"""Sinks that throw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from authsvc.logs import Level, LoggerSystem, Sink
from tests.logs.canaries import TEXT, found
from tests.logs.keeping import NOW, Keeping, system


class Throwing:
    """Throws `fault` at every call, and counts them."""

    def __init__(self, fault: BaseException) -> None:
        self.fault, self.calls = fault, 0

    def __call__(self, level: Level, message: str, event: Mapping[str, Any]) -> None:
        self.calls += 1
        raise self.fault

    def __eq__(self, other: object) -> bool:
        raise self.fault  # a sink's code is not to be run by looking for it

    __hash__ = None  # type: ignore[assignment]


def _throws(level: Level, message: str, event: Mapping[str, Any]) -> None:
    raise OSError(TEXT)


def test_isolated() -> None:
    """A sink that throws costs its event: the call that logged goes on, and each event is tried."""
    sink = Throwing(OSError())
    logs = system()
    logs.configure_loggers({"rpc": {"sink": sink}})
    for _ in range(3):
        logs.get_logger("rpc").info("x")
    assert sink.calls == 3


@pytest.mark.parametrize(
    ("sink", "name"), [(Throwing(OSError(TEXT)), "Throwing"), (_throws, "_throws")], ids=["object", "function"]
)
def test_reported_once(sink: Sink, name: str) -> None:
    """It is reported once, on the built-in sink, by the name of its code and of the fault's class alone."""
    built_in = Keeping()
    logs = system(built_in)
    logs.configure_loggers({"rpc": {"sink": sink}, "storage": {"sink": sink}})
    for scope in ("rpc", "rpc", "storage"):
        logs.get_logger(scope).info("x", count=1)
    heading = {"at": "2026-03-04T05:06:07.000089Z", "scope": "rpc"}
    assert built_in.calls == [
        (
            Level.ERROR,
            "a log sink throws: its events are lost, told once",
            {**heading, "target": name, "exception": "OSError"},
        )
    ]
    assert not found(TEXT, repr(built_in.calls))


def test_each_sink_is_reported() -> None:
    """Each sink that throws is reported for itself; a change of another scope repeats no report."""
    built_in = Keeping()
    logs = system(built_in)
    logs.configure_loggers({"rpc": {"sink": Throwing(OSError())}, "storage": {"sink": Throwing(KeyError())}})
    for _ in range(2):
        logs.get_logger("rpc").info("x")
        logs.get_logger("storage").info("x")
        logs.configure_loggers({"audit": {"level": "debug"}})
    assert [event["exception"] for _, _, event in built_in.calls] == ["OSError", "KeyError"]


def test_others_are_not_touched() -> None:
    """Other scopes' events arrive while one sink throws, and its own do after it was replaced."""
    good = Keeping()
    logs = system(good)
    logs.configure_loggers({"rpc": {"sink": _throws}})
    logs.get_logger("rpc").info("lost")
    logs.get_logger("storage").info("first")
    logs.configure_loggers({"rpc": {"sink": None}})
    logs.get_logger("rpc").info("second")
    assert [message for message in good.messages if "throws" not in message] == ["first", "second"]


def test_built_in_throws() -> None:
    """When the built-in sink itself throws, the call goes on all the same."""
    sink = Throwing(BrokenPipeError())
    LoggerSystem(["rpc"], clock=lambda: NOW, built_in=sink).get_logger("rpc").info("x")
    assert sink.calls == 2, "the event, and the report"


@pytest.mark.parametrize("fault", [KeyboardInterrupt, SystemExit])
def test_ending_the_process(fault: type[BaseException]) -> None:
    """What ends the process is no fault of a sink and is let through."""
    logs = system()
    logs.configure_loggers({"rpc": {"sink": Throwing(fault())}})
    with pytest.raises(fault):
        logs.get_logger("rpc").info("x")
