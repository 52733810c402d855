"""A command whose standard error is a terminal, and what it draws there."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_PATIENCE = 30.0
_DRAWN = re.compile(r"(\d+)%")


class Terminal:
    """What was drawn on it so far is ``drawn``."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.drawn = ""

    def shares(self) -> list[int]:
        """The percentages that were drawn, in order."""
        return [int(share) for share in _DRAWN.findall(self.drawn)]

    def read_until(self, share: int) -> None:
        """Return as soon as that percentage was drawn; raises ``RuntimeError`` when it never is."""
        ends = time.monotonic() + _PATIENCE
        while share not in self.shares():
            if time.monotonic() > ends or not self._read():
                raise RuntimeError(f"{share}% is not drawn in {self.drawn!r}")

    def read_to_the_end(self) -> None:
        """Return when nobody can draw any more."""
        while self._read():
            pass

    def _read(self) -> bool:
        """Read what there is; False at the end, which Linux tells as an error."""
        if not select.select([self._descriptor], [], [], _PATIENCE)[0]:
            return False
        with contextlib.suppress(OSError):
            read = os.read(self._descriptor, 65_536)
            self.drawn += read.decode()
            return bool(read)
        return False


@contextmanager
def on_a_terminal(*words: str, environ: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[str], Terminal]]:
    """Run the command as a process of its own with a terminal for what it says beside its answer."""
    ours, its = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "authsvc", *words],
            env={**environ, "PATH": "/usr/bin:/bin", "TERM": "xterm", "COLUMNS": "80"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=its,
            text=True,
        )
    finally:
        os.close(its)
    with process:
        try:
            yield process, Terminal(ours)
        finally:
            process.kill()
            os.close(ours)
