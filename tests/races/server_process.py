"""A server as operators run it: a process of its own over a state directory, or a store, that outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_READY_WITHIN = 30.0


class ServerProcess:
    """Starts, kills and starts again; each start listens on a port of its own.

    ``store`` is the store's address, where it is not the file in the state directory; ``environ`` wins over all else.
    """

    def __init__(self, state_dir: Path, store: str = "", *, environ: Mapping[str, str] | None = None) -> None:
        self.state_dir = state_dir
        self._store = store
        self._environ = environ or {}
        self.target = ""
        self._process: subprocess.Popen[str] | None = None

    @property
    def credential(self) -> str:
        """The credential of the development account."""
        credential: str = json.loads((self.state_dir / "dev.json").read_text())["credential"]
        return credential

    def start(self) -> float:
        """Start it; returns the seconds until it said SERVING. Raises ``RuntimeError`` when it does not."""
        began = time.monotonic()
        with (self.state_dir / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "authsvc", "serve", "--dev"],
                env={**_environment(self.state_dir, self._store), **self._environ},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.target = self._first_line().removeprefix("authsvc listens on ").partition(" ")[0]
        with grpc.insecure_channel(self.target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)
            ask = partial(health.Check, health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=_READY_WITHIN)
            while ask().status != _SERVING:
                if time.monotonic() - began > _READY_WITHIN:
                    raise RuntimeError(f"not ready within {_READY_WITHIN:.0f} s")
        return time.monotonic() - began

    @property
    def running(self) -> bool:
        """Whether the process that was started is still there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process's number, while it is there."""
        assert self._process is not None, "it was not started"
        return self._process.pid

    def kill(self) -> None:
        """End it by SIGKILL: it has no time to finish anything."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it as an operator does; returns its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.send_signal(number)
        code = process.wait(_READY_WITHIN)
        _output(process).close()
        return code

    def _first_line(self) -> str:
        process = self._process
        assert process is not None
        too_long = threading.Timer(_READY_WITHIN, process.kill)
        too_long.start()
        line = _output(process).readline()
        too_long.cancel()
        if not line:
            self._end(signal.SIGKILL)
            raise RuntimeError((self.state_dir / "server.log").read_text()[-2000:])
        return line


_SERVING = health_pb2.HealthCheckResponse.SERVING


def _environment(state_dir: Path, store: str) -> Mapping[str, str]:
    """This process's environment without settings of other servers."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AUTHSVC_", "GRPC_"))}
    own = {"STATE_DIR": str(state_dir), "LISTEN": "127.0.0.1:0", "LOG_LEVELS": "default=warn,server=info"}
    own |= {"STORE": store} if store else {}
    return {**kept, **{f"AUTHSVC_{name}": value for name, value in own.items()}}


def _output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout
