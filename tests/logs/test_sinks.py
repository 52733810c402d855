"""JSON lines and the console."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from authsvc.logs import Console, JsonLines, Level, Logger, LoggerSystem, LogSettingError, sink_for_format
from tests.logs.keeping import NOW

ODD_TEXTS = {
    "newlines": "a\nb\r\nc",
    "terminal": "\x1b[2J\x9b31m\x07",
    "controls": "".join(map(chr, [*range(32), 127, *range(128, 160)])),
    "delete": "\x7f",
    "separators": "\u2028\u2029\u0085\x1c\x1d\x1e\x0b\x0c",
    "direction": "\u202egnp.exe",
    "quotes": "\"'\\ =,{}[]",
    "beyond ascii": "Ünïcödé \N{PILE OF POO}",
    "half a pair": "\udcff\ud800",
    "null": "\0",
}


@pytest.fixture(params=["orjson", "standard library"])
def encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With and without orjson, which this package does not ask for."""
    if request.param == "standard library":
        monkeypatch.setitem(sys.modules, "orjson", None)
    return str(request.param)


@pytest.fixture
def stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="ascii")


@pytest.fixture
def log(encoder: str, stream: io.TextIOWrapper) -> Logger:
    return LoggerSystem(["rpc"], clock=lambda: NOW, built_in=JsonLines(stream)).get_logger("rpc")


def _written(stream: io.TextIOWrapper) -> str:
    binary = stream.buffer
    assert isinstance(binary, io.BytesIO)
    return binary.getvalue().decode("ascii")


def test_line(log: Logger, stream: io.TextIOWrapper) -> None:
    """A JSON line holds at, level, scope, message, tags when present, then the fields, in this order."""
    log.info("call completed", method="/authsvc.v1.AuthService/IssueToken", code="OK", duration_ms=0.25, error_id=None)
    log.with_tags("slow").warn("x", password="p")
    assert _written(stream) == (
        '{"at":"2026-03-04T05:06:07.000089Z","level":"info","scope":"rpc","message":"call completed",'
        '"method":"/authsvc.v1.AuthService/IssueToken","code":"OK","duration_ms":0.25,"error_id":null}\n'
        '{"at":"2026-03-04T05:06:07.000089Z","level":"warn","scope":"rpc","message":"x","tags":["slow"],"password":"***"}\n'
    )


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_one_line_whatever_it_holds(log: Logger, stream: io.TextIOWrapper, text: str) -> None:
    """An event is one line of printable ASCII that reads back as it was, whatever its texts hold."""
    log.with_tags(text).info(text, target=text)
    written = _written(stream)
    assert written.endswith("\n")
    assert written[:-1].isprintable()
    assert len(written.splitlines()) == 1
    read = json.loads(written)
    assert (read["message"], read["tags"], read["target"]) == (text, [text], text)


ODD_VALUES: dict[str, Any] = {
    "bytes": b"x",
    "object": object(),
    "set": {1, 2},
    "nested": {"a": object()},
    "bytes in a list": [b"x"],
    "huge": 10**5000,
    "not a number": float("nan"),
    "exception": ValueError("x"),
    "half a pair": "\ud800",
    "class": int,
}


@pytest.mark.parametrize("odd", ODD_VALUES)
def test_never_raises(encoder: str, stream: io.TextIOWrapper, odd: str) -> None:
    """The sink writes one line of valid JSON for any value, also of an event that no logger has made."""
    value = ODD_VALUES[odd]
    JsonLines(stream)(Level.ERROR, "x", {"scope": "rpc", "tags": ("a", "\ud800"), "odd": value, "\ud800": value})
    [line] = _written(stream).splitlines()
    read = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (read["level"], read["scope"], read["tags"]) == ("error", "rpc", ["a", "\ud800"])


@dataclass
class Login:
    """A record that was not made to be logged."""

    password: str = "p4ssw0rd"


class TokenText(str):
    """A text of someone's own type."""

    __slots__ = ()


@pytest.mark.parametrize("value", [Login(), TokenText("p4ssw0rd"), [Login()]], ids=["record", "text", "list"])
def test_looks_into_nothing(encoder: str, stream: io.TextIOWrapper, value: object) -> None:
    """The sink does not write the insides of a record or of a text of an unknown type."""
    JsonLines(stream)(Level.ERROR, "x", {"target": "p4ssw0r", "odd": value})
    assert "p4ssw0rd" not in _written(stream)
    assert "p4ssw0r" in _written(stream)


def test_console_line(stream: io.TextIOWrapper) -> None:
    """The console shows time, level, scope, message, tags and fields to people."""
    log = LoggerSystem(["rpc"], clock=lambda: NOW, built_in=Console(stream)).get_logger("rpc", tags=["slow"])
    log.warn("call completed", code="OK", duration_ms=0.25, password="p")
    log.new().error("x")
    assert _written(stream) == (
        "05:06:07.000 warn  rpc         call completed  [slow] code='OK' duration_ms=0.25 password='***'\n"
        "05:06:07.000 error rpc         x  [slow]\n"
    )


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_console_obeys_no_text(text: str) -> None:
    """No text of an event can begin a line or command the terminal."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    log = LoggerSystem(["rpc"], clock=lambda: NOW, built_in=Console(stream)).get_logger("rpc", tags=[text])
    log.info(text, target=text)
    assert isinstance(stream.buffer, io.BytesIO)
    written = stream.buffer.getvalue().decode()
    assert written.endswith("\n")
    assert written[:-1].isprintable()


@pytest.mark.parametrize("sink", [JsonLines, Console])
def test_text_stream_without_bytes(sink: type[JsonLines | Console]) -> None:
    """A stream that takes text alone is written to as well."""
    stream = io.StringIO()
    LoggerSystem(["rpc"], clock=lambda: NOW, built_in=sink(stream)).get_logger("rpc").info("hello")
    assert "hello" in stream.getvalue()


def test_whole_line_in_one_write(tmp_path: Path) -> None:
    """Each line reaches the file in one write, also one that is longer than the stream's buffer."""

    class Counting(io.FileIO):
        writes: list[bytes]

        def write(self, data: Any) -> int:
            self.writes.append(bytes(data))
            return super().write(data)

    raw = Counting(tmp_path / "log", "w")
    raw.writes = []
    with io.TextIOWrapper(io.BufferedWriter(raw, buffer_size=64)) as stream:
        log = LoggerSystem(["rpc"], built_in=JsonLines(stream)).get_logger("rpc")
        for _ in range(3):
            log.info("x", target="t" * 500)
        assert [write.count(b"\n") for write in raw.writes if write.endswith(b"}\n")] == [1, 1, 1]
        assert len(raw.writes) == 3


def test_follows_stderr(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a stream, lines go to what sys.stderr is when they are written."""
    log = LoggerSystem(["rpc"]).get_logger("rpc")
    later = io.StringIO()
    log.info("first")
    monkeypatch.setattr(sys, "stderr", later)
    log.info("second")
    assert "first" in capsys.readouterr().err
    assert "second" in later.getvalue()


@pytest.mark.parametrize(("name", "kind"), [("json", JsonLines), ("console", Console)])
def test_formats(name: str, kind: type[Any]) -> None:
    """AUTHSVC_LOG_FORMAT is json or console."""
    assert isinstance(sink_for_format(name), kind)


def test_unknown_format() -> None:
    """Another format is an error that names the two."""
    with pytest.raises(LogSettingError, match=r"unknown log format 'jsn', did you mean 'json'.* Known: json, console"):
        sink_for_format("jsn")
