"""The service as a process of its own: started, asked, signalled, waited for."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Nothing of the developer's own environment, so that no setting of theirs decides a test.
KEPT = ("PATH", "HOME", "PYTHONPATH", "COVERAGE_PROCESS_START")
BARE = {name: os.environ[name] for name in KEPT if name in os.environ}
PATIENCE = 30.0


class ServerProcess:
    """A running ``authsvc serve``. Both of its outputs are read as they come, so it never waits for a reader."""

    def __init__(self, state_dir: Path, *arguments: str, **environ: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "authsvc", "serve", *arguments],
            env=environment(state_dir, environ),
            cwd=state_dir.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._changed = threading.Condition()
        self._ended = False
        self._written: dict[str, list[str]] = {"out": [], "err": []}
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream), daemon=True)
            for name, stream in (("out", self.process.stdout), ("err", self.process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return "".join(self._written["out"])

    @property
    def err(self) -> str:
        """What it has written to stderr so far: the log and what goes wrong."""
        return "".join(self._written["err"])

    def log(self, message: str) -> dict[str, Any]:
        """The log line with that message, once it is written."""
        with self._changed:
            self._changed.wait_for(lambda: self._found(message) is not None or self._ended, PATIENCE)
        found = self._found(message)
        assert found is not None, self.err
        return found

    def target(self) -> str:
        """Where it listens, once it is ready."""
        return str(self.log("server ready")["target"])

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def exit_code(self) -> int:
        """The exit code, once it has ended and all that it wrote is read."""
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return code

    def _found(self, message: str) -> dict[str, Any] | None:
        lines = [json.loads(line) for line in self._written["err"] if line.startswith("{")]
        return next((line for line in lines if line["message"] == message), None)

    def _read(self, name: str, stream: Any) -> None:
        with stream:
            for line in stream:
                with self._changed:
                    self._written[name].append(line)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


@contextmanager
def serving(state_dir: Path, *arguments: str, **environ: str) -> Iterator[ServerProcess]:
    """A server process that is gone afterwards."""
    server = ServerProcess(state_dir, *arguments, **environ)
    try:
        yield server
    finally:
        server.process.kill()
        server.exit_code()


def environment(state_dir: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """A bare environment with a port of the system's choice."""
    return {**BARE, "AUTHSVC_STATE_DIR": str(state_dir), "AUTHSVC_LISTEN": "127.0.0.1:0", **environ}


def refusal(state_dir: Path, *arguments: str, **environ: str) -> str:
    """The sentence of a server that does not start; it says so with exit code 2 and nothing else."""
    with serving(state_dir, *arguments, **environ) as server:
        assert server.exit_code() == 2, server.err
        assert server.out == ""
        said = re.fullmatch(r"authsvc does not start: (.*)\n", server.err, re.DOTALL)
        assert said is not None, server.err
        return said[1]
