"""The Sentry sink."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from authsvc.logs import Level, LoggerSystem, MissingExtraError, SecretText, SentrySink, sentry_client
from tests.logs.keeping import NOW, Keeping


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without sentry-sdk, asking for a client is an error that says what to install, and not the DSN."""
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'authsvc\[sentry\]'") as missing:
        sentry_client(SecretText("https://key@sentry.invalid/1"), release="1")
    assert "sentry.invalid" not in str(missing.value)


def test_imported_lazily() -> None:
    """Importing the package asks for neither sentry-sdk nor orjson, not for gRPC, and for structlog with the logger."""
    program = """if True:
        import sys
        class Asked:
            names = []
            def find_spec(self, name, path=None, target=None):
                self.names.append(name.partition(".")[0])
        sys.meta_path.insert(0, Asked())
        import authsvc.logs
        print(*sorted({"structlog", "sentry_sdk", "orjson", "grpc"} & set(Asked.names)))
        authsvc.logs.Logger
        print(*sorted({"structlog", "sentry_sdk", "orjson", "grpc"} & set(Asked.names)))
    """
    asked = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert asked.stdout.splitlines() == ["", "structlog"], "what is imported is seen, and it is this alone"


@pytest.mark.parametrize(
    ("minimum", "sent"),
    [(Level.WARN, ["warning", "error"]), (Level.TRACE, ["debug", "debug", "info", "warning", "error"])],
)
def test_levels(minimum: Level, sent: list[str]) -> None:
    """Events of the minimum level and above go to Sentry by its names for levels; all go to the next sink."""
    events: list[dict[str, Any]] = []
    local = Keeping()
    logs = LoggerSystem(["rpc"], clock=lambda: NOW, built_in=SentrySink(events.append, minimum=minimum, then=local))
    logs.configure_loggers({"default": {"level": "trace"}})
    for level in Level:
        getattr(logs.get_logger("rpc"), str(level))("x")
    assert [event["level"] for event in events] == sent
    assert [level for level, _, _ in local.calls] == list(Level)


def test_event() -> None:
    """A Sentry event holds the message, the scope, the time and the fields that a line would hold."""
    events: list[dict[str, Any]] = []
    log = LoggerSystem(["rpc"], clock=lambda: NOW, built_in=SentrySink(events.append)).get_logger("rpc", tags=["t"])
    log.error("it failed", code="INTERNAL", error_id="e1", password="p", exception=ValueError("p"))
    extra = {"tags": ("t",), "code": "INTERNAL", "error_id": "e1", "password": "***", "exception": "ValueError"}
    assert events == [
        {
            "level": "error",
            "logger": "authsvc.rpc",
            "timestamp": "2026-03-04T05:06:07.000089Z",
            "message": "it failed",
            "tags": {"scope": "rpc"},
            "extra": extra,
        }
    ]


def test_line_before_sentry() -> None:
    """The next sink has its event also when Sentry's side throws."""
    local = Keeping()

    def broken(event: dict[str, Any]) -> None:
        raise OSError

    logs = LoggerSystem(["rpc"], clock=lambda: NOW, built_in=Keeping())
    logs.configure_loggers({"default": {"sink": SentrySink(broken, then=local)}})
    logs.get_logger("rpc").error("kept")
    assert local.messages == ["kept"]
