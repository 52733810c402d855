"""Spans are made where the standard variables ask for them, and otherwise nothing of it is even loaded."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Mapping

import pytest

from authsvc.app.observing import open_tracing, wants_spans
from authsvc.logs import LoggerSystem
from tests.logs.canaries import TEXT, found
from tests.logs.keeping import Keeping, system

OTLP = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.fixture
def kept() -> Keeping:
    return Keeping()


@pytest.fixture
def logs(kept: Keeping) -> LoggerSystem:
    return system(kept)


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_TRACES_EXPORTER": ""}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, False),
        ({"OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_TRACES_EXPORTER": "none", **OTLP}, False),
        (OTLP, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_SDK_DISABLED": "true", **OTLP}, False),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_TRACES_EXPORTER": "otlp"}, False),
        ({"OTEL_SDK_DISABLED": "false", **OTLP}, True),
        ({"OTEL_SERVICE_NAME": "auth"}, False),
    ],
)
def test_who_asks_for_spans(environ: Mapping[str, str], wanted: bool) -> None:
    """An exporter named otlp or an OTLP endpoint asks for spans; none and OTEL_SDK_DISABLED are against it."""
    assert wants_spans(environ) is wanted


def test_asked_for(logs: LoggerSystem, kept: Keeping) -> None:
    """Where spans are asked for and the extra is there, there is something that makes them."""
    with open_tracing({"OTEL_TRACES_EXPORTER": "otlp"}, logs.get_logger("rpc")) as tracing:
        assert tracing is not None
    assert kept.calls == []


def test_not_asked_for(logs: LoggerSystem, kept: Keeping) -> None:
    """Where nobody asks there is nothing, and nothing is said about it."""
    with open_tracing({}, logs.get_logger("rpc")) as tracing:
        assert tracing is None
    assert kept.calls == []


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"])
def test_another_protocol(logs: LoggerSystem, kept: Keeping, name: str) -> None:
    """A collector that is spoken to by HTTP gets no spans, and the log says why."""
    with open_tracing({**OTLP, name: "http/protobuf"}, logs.get_logger("rpc")) as tracing:
        assert tracing is None
    assert kept.messages == ["no spans: they are sent by OTLP over gRPC alone"]


def test_what_the_library_says_is_told_without_values(
    logs: LoggerSystem, kept: Keeping, capfd: pytest.CaptureFixture[str]
) -> None:
    """Warnings of the library are lines of our log, without the values it quotes, and nowhere else."""
    library = logging.getLogger("opentelemetry.trace.span")
    with open_tracing(OTLP, logs.get_logger("rpc")):
        library.warning("Invalid key/value pair (%s, %s) found.", "vendor", TEXT)
        library.error(f"put together with {TEXT}")
    assert kept.messages == ["tracing fault", "tracing fault"]
    assert [event["detail"] for _, _, event in kept.calls] == ["Invalid key/value pair (%s, %s) found.", ""]
    assert not found(TEXT, repr(kept.calls))
    assert capfd.readouterr() == ("", "")


def run(program: str) -> str:
    """Run a program in an interpreter of its own; what it printed."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_without_the_extra() -> None:
    """Without opentelemetry a server that is asked for spans starts without them and says what to install."""
    printed = run("""if True:
        import sys
        sys.modules["opentelemetry"] = None
        from authsvc.app.observing import open_tracing
        from authsvc.logs import LoggerSystem
        logs = LoggerSystem(["rpc"], built_in=lambda level, message, event: print(level, message))
        with open_tracing({"OTEL_TRACES_EXPORTER": "otlp"}, logs.get_logger("rpc")) as tracing:
            print(tracing)
    """)
    assert printed.splitlines() == [
        "warn no spans: OTEL_* asks for them and the extra is missing: pip install 'authsvc[otel]'",
        "None",
    ]


@pytest.mark.parametrize(("environ", "loaded"), [({}, "[]"), ({"OTEL_TRACES_EXPORTER": "otlp"}, "['opentelemetry']")])
def test_nothing_is_loaded_where_nobody_asks(environ: Mapping[str, str], loaded: str) -> None:
    """A server's modules load opentelemetry only where spans are asked for."""
    printed = run(f"""if True:
        import sys
        import authsvc.app.serving
        from authsvc.app.observing import open_tracing
        from authsvc.logs import LoggerSystem
        with open_tracing({environ!r}, LoggerSystem(["rpc"]).get_logger("rpc")):
            print(sorted({{name for name in sys.modules if name == "opentelemetry"}}))
    """)
    assert printed == loaded
