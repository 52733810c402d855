"""The sinks that ship: JSON lines for machines, a console for people."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from threading import local
from typing import TYPE_CHECKING, Any, Final, TextIO

from authsvc.logs.encoding import line_encoder
from authsvc.logs.levels import LEVEL_NAMES, Level, unknown
from authsvc.logs.redaction import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from authsvc.logs.routing import Sink


class JsonLines:
    """Writes an event as one line of JSON: at, level, scope, message, tags, the fields.

    `stream` is a text stream; without one it is what `sys.stderr` is at the time of the call.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._line = line_encoder()
        self._thread = local()

    def __call__(self, level: Level, message: str, event: Mapping[str, Any]) -> None:
        # A name that repeats keeps its first place, so `at` and `scope` lead the line.
        record = {"at": None, "level": LEVEL_NAMES[level], "scope": None, "message": message, **event}
        line = self._line(record)
        held: list[bytes] | None = getattr(self._thread, "held", None)
        if held is None:
            self._put(line)
        else:
            held.append(line)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write the lines of this thread at the end, all in one piece."""
        held: list[bytes] = []
        self._thread.held = held
        try:
            yield
        finally:
            self._thread.held = None
            if held:
                self._put(b"".join(held))

    def _put(self, lines: bytes) -> None:
        write_lines(self._stream, lines)


class Console:
    """Writes an event for people: time, level, scope, message, [tags], then `field='value'`."""

    def __init__(self, stream: TextIO | None = None) -> None:
        from structlog.processors import KeyValueRenderer  # noqa: PLC0415 - as loggers do

        self._stream = stream
        self._fields = KeyValueRenderer()

    def __call__(self, level: Level, message: str, event: Mapping[str, Any]) -> None:
        fields = {name: shown(value) for name, value in event.items()}
        time, scope = str(fields.pop("at", ""))[11:23], str(fields.pop("scope", ""))
        fields.pop("tags", None)
        tags = "".join(f"[{shown(tag)}] " for tag in event.get("tags", ()))
        head = f"{time} {LEVEL_NAMES[level]:<5} {scope:<11} {message}  {tags}"
        line = _printable(head) + self._fields(None, "", fields)
        write_lines(self._stream, line.rstrip().encode("utf-8", "backslashreplace") + b"\n")


_FORMATS: Final[dict[str, Callable[[TextIO | None], Sink]]] = {"json": JsonLines, "console": Console}


def sink_for_format(name: str, stream: TextIO | None = None) -> Sink:
    """The sink for AUTHSVC_LOG_FORMAT: "json" or "console"; raises LogSettingError for another."""
    if name not in _FORMATS:
        raise unknown("log format", name, _FORMATS)
    return _FORMATS[name](stream)


def _printable(text: str) -> str:
    # Line breaks and terminal commands are shown, not obeyed.
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def write_lines(stream: TextIO | None, line: bytes) -> None:
    """Write whole lines; without a stream to what `sys.stderr` is now."""
    stream = stream or sys.stderr
    binary = getattr(stream, "buffer", None)
    if binary is None:
        stream.write(line.decode())
        stream.flush()
    else:
        # One write of one whole line: a buffered writer holds its lock for it, so the lines of
        # threads do not mix. A text stream promises no such thing.
        binary.write(line)
        binary.flush()
