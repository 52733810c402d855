"""The rules of configuring, one row of a table for each."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog

from authsvc.logs import CLIENT_SCOPES, SERVER_SCOPES, Level, LoggerSystem, LogSettingError
from tests.logs.keeping import Keeping, system

SINKS = {name: Keeping() for name in ("built in", "one", "two")}
ONE, TWO = SINKS["one"], SINKS["two"]


@dataclass(frozen=True)
class Rule:
    sentence: str
    changes: list[dict[str, Any]]
    levels: dict[str, str] = field(default_factory=dict)
    sinks: dict[str, str] = field(default_factory=dict)


RULES = [
    Rule(
        "What is not configured has the built-in level and sink: info, and the sink the system was made with.",
        [],
        {"default": "info", "rpc": "info"},
        {"default": "built in", "rpc": "built in"},
    ),
    Rule(
        "A scope's own level goes before the default's.",
        [{"storage": {"level": "debug"}, "default": {"level": "warn"}}],
        {"storage": "debug", "rpc": "warn", "default": "warn"},
    ),
    Rule(
        "A scope's own sink goes before the default's.",
        [{"storage": {"sink": ONE}, "default": {"sink": TWO}}],
        sinks={"storage": "one", "rpc": "two"},
    ),
    Rule(
        "Level and sink are looked up separately: a scope with a level of its own has the default's sink.",
        [{"storage": {"level": "debug"}, "default": {"sink": ONE}}],
        {"storage": "debug", "rpc": "info"},
        {"storage": "one", "rpc": "one"},
    ),
    Rule(
        "Level and sink are looked up separately: a scope with a sink of its own has the default's level.",
        [{"storage": {"sink": ONE}, "default": {"level": "error"}}],
        {"storage": "error"},
        {"storage": "one", "rpc": "built in"},
    ),
    Rule(
        "The audit scope can have a sink of its own.",
        [{"audit": {"sink": ONE}}],
        {"audit": "info"},
        {"audit": "one", "rpc": "built in"},
    ),
    Rule(
        "Changes merge per scope: a scope that is absent is kept.",
        [{"storage": {"level": "debug"}}, {"rpc": {"level": "warn"}}],
        {"storage": "debug", "rpc": "warn"},
    ),
    Rule(
        "Changes merge per key: a key that is absent is kept.",
        [{"storage": {"level": "debug"}}, {"storage": {"sink": ONE}}, {"storage": {}}],
        {"storage": "debug"},
        {"storage": "one"},
    ),
    Rule(
        "None goes back to the default's, for the one key it is given for.",
        [
            {"default": {"level": "warn", "sink": TWO}, "storage": {"level": "debug", "sink": ONE}},
            {"storage": {"level": None}},
        ],
        {"storage": "warn"},
        {"storage": "one"},
    ),
    Rule(
        "None for a sink goes back to the default's sink.",
        [{"default": {"sink": TWO}, "storage": {"level": "debug", "sink": ONE}}, {"storage": {"sink": None}}],
        {"storage": "debug"},
        {"storage": "two"},
    ),
    Rule(
        "None for `default` goes back to the built-in; other scopes stay as they are.",
        [
            {"default": {"level": "error", "sink": TWO}, "storage": {"level": "debug", "sink": ONE}},
            {"default": {"level": None, "sink": None}},
        ],
        {"default": "info", "rpc": "info", "storage": "debug"},
        {"default": "built in", "rpc": "built in", "storage": "one"},
    ),
    Rule(
        "None for what was never set changes nothing.",
        [{"storage": {"level": None, "sink": None}}],
        {"storage": "info"},
        {"storage": "built in"},
    ),
    Rule(
        "A level that equals the default's is still the scope's own, and stays when the default's changes.",
        [{"storage": {"level": "info"}}, {"default": {"level": "error"}}],
        {"storage": "info", "rpc": "error"},
    ),
    Rule(
        "A scope named with a dot is a scope of its own and inherits from `default` only.",
        [{"client": {"level": "trace", "sink": ONE}}],
        {"client": "trace", "client.tokens": "info"},
        {"client": "one", "client.tokens": "built in"},
    ),
]


def _wrote(logs: LoggerSystem, scope: str) -> tuple[str, str]:
    """The least level that `scope` writes, and the sink it is written to, seen from outside."""
    for sink in SINKS.values():
        sink.calls.clear()
    logger = logs.get_logger(scope)
    for write in (logger.trace, logger.debug, logger.info, logger.warn, logger.error):
        write("x")
    [(name, sink)] = [(name, sink) for name, sink in SINKS.items() if sink.calls]
    levels = [level for level, _, _ in sink.calls]
    assert levels == [level for level in Level if level >= levels[0]]
    return str(levels[0]), name


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.sentence)
def test_rule(rule: Rule) -> None:
    """Each rule of configuring holds for what is then written, by level and by sink."""
    logs = system(SINKS["built in"], scopes=("rpc", "storage", "audit", *CLIENT_SCOPES))
    for change in rule.changes:
        logs.configure_loggers(change)
    for scope in rule.levels | rule.sinks:
        level, sink = _wrote(logs, scope)
        assert level == rule.levels.get(scope, level)
        assert sink == rule.sinks.get(scope, sink)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"storage": {"level": "inof"}}, "unknown level 'inof', did you mean 'info'.*trace, debug, info, warn, error"),
        ({"storage": {"level": 1}}, "unknown level 1.* Known: trace"),
        ({"storage": {"levle": "info"}}, "unknown key .*'storage': 'levle', did you mean 'level'.* Known: level, sink"),
        (
            {"storge": {"level": "info"}},
            "unknown scope 'storge', did you mean 'storage'.* Known: audit, default, rpc, storage",
        ),
        ({7: {"level": "info"}}, "unknown scope 7. Known: audit"),
        ({"storage": {"sink": "stderr"}}, "a sink is a callable .level, message, event., not str"),
        ({"storage": None}, "settings of 'storage' must map level or sink"),
        ({"storage": "debug"}, "settings of 'storage' must map level or sink"),
    ],
)
def test_refuses(change: Any, says: str) -> None:
    """An unknown level, key or scope is a ValueError that names the known ones, and changes nothing at all."""
    logs = system(scopes=("rpc", "storage", "audit"))
    logs.configure_loggers({"rpc": {"level": "warn"}})
    before = logs.levels()
    with pytest.raises(LogSettingError, match=says) as refused:
        logs.configure_loggers({"rpc": {"level": "trace"}, "audit": {"level": None}, **change})
    assert isinstance(refused.value, ValueError)
    assert logs.levels() == before
    logs.configure_loggers({"rpc": {"level": "trace"}})
    assert logs.levels() != before, "the part that was valid would have been seen"


def test_restore_defaults() -> None:
    """restore_defaults clears every level and sink, and keeps scopes and loggers."""
    built_in, other = Keeping(), Keeping()
    logs = system(built_in)
    logger = logs.get_logger("storage")
    logs.configure_loggers({"default": {"level": "error", "sink": other}, "storage": {"level": "debug", "sink": other}})
    logger.debug("to the other")
    logs.restore_defaults()
    logger.debug("below info")
    logger.info("to the built-in")
    assert (other.messages, built_in.messages) == (["to the other"], ["to the built-in"])
    assert set(logs.levels().values()) == {Level.INFO}
    assert logs.configured_levels() == {}


def test_handed_out_loggers_follow() -> None:
    """Loggers already handed out, and those made from them, follow every change of level and of sink."""
    first, second = Keeping(), Keeping()
    logs = system(first)
    logger = logs.get_logger("storage")
    loggers = [logger, logger.bind(pid=1), logger.with_tags("a"), logger.new()]
    for each in loggers:
        each.debug("not yet")
    logs.configure_loggers({"storage": {"level": "debug", "sink": second}})
    for each in loggers:
        each.debug("now")
    assert (first.messages, second.messages) == ([], ["now"] * 4)


def test_configure_levels() -> None:
    """Levels can be set alone, by scope, and what was set can be read back to restore it."""
    logs = system()
    logs.configure_levels({"storage": "debug", "rpc": Level.WARN})
    before = logs.configured_levels()
    assert before == {"storage": Level.DEBUG, "rpc": Level.WARN}
    logs.configure_levels({"storage": None, "rpc": "trace"})
    logs.configure_levels(before)
    assert logs.levels() == {"default": Level.INFO, "audit": Level.INFO, "rpc": Level.WARN, "storage": Level.DEBUG}


def test_unknown_scope() -> None:
    """get_logger refuses an unknown scope with an error that names the known ones."""
    with pytest.raises(LogSettingError, match=r"unknown scope 'rcp', did you mean 'rpc'.* Known: audit, default, rpc"):
        system().get_logger("rcp")


def test_register_scopes() -> None:
    """A scope can be made known later; it then follows the default's settings and can have its own."""
    sink = Keeping()
    logs = system(sink)
    with pytest.raises(LogSettingError):
        logs.configure_loggers({"plugin": {"level": "debug"}})
    logs.configure_loggers({"default": {"level": "warn"}})
    logs.register_scopes("plugin", "rpc")
    logger = logs.get_logger("plugin")
    logger.info("below the default's")
    logs.configure_loggers({"plugin": {"level": "debug"}})
    logger.debug("its own")
    assert sink.messages == ["its own"]
    assert logs.scopes == ("audit", "default", "plugin", "rpc", "storage")


@pytest.mark.parametrize("name", ["", "Rpc", "a b", "a=b", "a,b", "rpc\n", "1st", "x" * 65])
def test_scope_names(name: str) -> None:
    """A scope's name is such that it can stand in AUTHSVC_LOG_LEVELS."""
    with pytest.raises(LogSettingError, match="is no scope"):
        LoggerSystem([name])


def test_known_scopes() -> None:
    """The scopes of the server and of the client are known by name."""
    server = {"server", "rpc", "credentials", "signing", "sessions", "storage", "trust", "audit"}
    assert server | {"accounts", "apps", "tokens", "cli"} == set(SERVER_SCOPES)
    client = {"client", "client.tokens", "client.user", "client.verifier", "client.interceptor"}
    assert client == set(CLIENT_SCOPES)


def test_systems_are_separate() -> None:
    """Each system is an object: configuring one is not seen by another, and nothing global changes."""
    before = (structlog.get_config(), structlog.is_configured(), logging.root.handlers[:], logging.root.level)
    mine, yours = Keeping(), Keeping()
    first, second = system(mine), system(yours)
    first.configure_loggers({"default": {"level": "trace"}})
    for logs in (first, second):
        logs.get_logger("rpc").debug("x")
    assert (mine.messages, yours.messages) == (["x"], [])
    assert (structlog.get_config(), structlog.is_configured(), logging.root.handlers, logging.root.level) == before


def test_built_in_is_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    """The sink of a system that was given none is JSON lines to stderr."""
    LoggerSystem(["rpc"]).get_logger("rpc").info("hello")
    out, err = capfd.readouterr()
    assert out == ""
    assert '"message":"hello"' in err
