"""JSON lines in a file of their own, which may be moved aside under a running program."""

from __future__ import annotations

import json
import os
import stat
import time
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Final

from authsvc.logs.levels import Level
from authsvc.logs.redaction import redact_into
from authsvc.logs.sinks import JsonLines, write_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from authsvc.logs.routing import Sink

LOOK_EVERY: Final = 1.0
"""Seconds for which the name is taken to be that of the open file: what is written meanwhile goes with the old one."""

_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
_PRIVATE: Final = 0o600


class FileLines(JsonLines):
    """Appends events to the file at `path`, made for its owner alone; one that is there keeps its mode.

    Once the file was moved or removed, a new one is made under its name, within a second: no signal is needed. What
    cannot be written there is written to stderr instead, and `instead` is told once when that begins and once when it
    ends. Raises OSError where the file cannot be opened at first. `monotonic` is in seconds; `write` stands for
    `os.write` where a test needs a disk that is full.
    """

    def __init__(
        self,
        path: Path,
        *,
        instead: Sink,
        monotonic: Callable[[], float] = time.monotonic,
        write: Callable[[int, bytes], int] = os.write,
    ) -> None:
        super().__init__()
        self._path = path
        self._instead = instead
        self._monotonic = monotonic
        self._write = write
        self._lock = Lock()
        self._file = _opened(path)
        self._next_look = monotonic() + LOOK_EVERY
        self._torn = False
        self._elsewhere = 0

    def close(self) -> None:
        """Let go of the file; what comes later is written to stderr. Closing twice is harmless."""
        with self._lock:
            file, self._file = self._file, -1
            if file >= 0:
                os.close(file)

    def _put(self, lines: bytes) -> None:
        with self._lock:
            self._follow_name()
            try:
                self._append(lines)
            except OSError as fault:
                self._put_elsewhere(lines, fault)
            else:
                self._found_again(lines)

    def _append(self, lines: bytes) -> None:
        rest = b"\n" + lines if self._torn else lines  # what is left of a line must not spoil the next one
        while rest:
            written = self._write(self._file, rest)
            self._torn = True
            rest = rest[written:]
        self._torn = False

    def _put_elsewhere(self, lines: bytes, fault: OSError) -> None:
        # All of them, also those that may be in the file already: twice is better than not at all.
        write_lines(None, lines)
        if not self._elsewhere:
            said = "lines cannot be written to their file: they are on stderr"
            self._tell(Level.ERROR, said, lines, {"exception": fault})
        self._elsewhere += lines.count(b"\n")

    def _found_again(self, lines: bytes) -> None:
        if self._elsewhere:
            self._tell(Level.INFO, "lines are written to their file again", lines, {"count": self._elsewhere})
            self._elsewhere = 0

    def _tell(self, level: Level, message: str, lines: bytes, fields: Mapping[str, object]) -> None:
        with suppress(Exception):  # it is a courtesy: the lines themselves are written
            first = json.loads(lines.partition(b"\n")[0])
            heading = {"at": first["at"], "scope": first["scope"]}
            self._instead(level, message, redact_into(heading, {"path_name": str(self._path), **fields}))

    def _follow_name(self) -> None:
        now = self._monotonic()
        if now < self._next_look or self._file < 0:
            return
        self._next_look = now + LOOK_EVERY
        # Where no other can be opened the one that is open goes on: nothing is lost by that.
        with suppress(OSError):
            if not _is_at(self._file, self._path):
                file = _opened(self._path)
                os.close(self._file)
                self._file, self._torn = file, False


def _opened(path: Path) -> int:
    # Without waiting: whoever opens a pipe that nobody reads would wait for ever.
    file = os.open(path, _FLAGS | os.O_NONBLOCK, _PRIVATE)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(0, "is no file", str(path))
    return file


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
