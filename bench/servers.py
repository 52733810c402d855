"""The servers under load, each a process of its own pinned to one core."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

SERVER_CORE, CLIENT_CORE = 0, 1
_TICKS = os.sysconf("SC_CLK_TCK")
_LISTENER = "-event_engine_listener"

_ECHO = """
import grpc, os, sys, signal, threading
from concurrent.futures import ThreadPoolExecutor
class Handlers(grpc.GenericRpcHandler):
    def __init__(self):
        self.known = {}
    def service(self, details):  # the method's name says how many bytes to answer with
        if details.method not in self.known:
            answer = os.urandom(int(details.method.rpartition("/")[2]))
            self.known[details.method] = grpc.unary_unary_rpc_method_handler(lambda request, context: answer)
        return self.known[details.method]
server = grpc.server(ThreadPoolExecutor(128), handlers=(Handlers(),), options=[("grpc.so_reuseport", 0)])
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
stop.wait()
server.stop(0)
"""


@dataclass(frozen=True)
class Server:
    """A running server: where it is, how to get in, and what it has used so far."""

    target: str
    pid: int
    api_key: str = ""
    credential: str = ""

    @property
    def metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return (("authorization", f"Bearer {self.credential}"),) if self.credential else ()

    def cpu_seconds(self) -> float:
        """Processor time of the process, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_mib(self) -> float:
        """Resident memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def echo_server(*, flag: bool) -> Iterator[Server]:
    """A bare echo: what the library costs without anything of ours, with the listener flag or without."""
    environ = {**os.environ, "GRPC_EXPERIMENTS": _LISTENER if flag else ""}
    with _process([sys.executable, "-c", _ECHO], environ) as process:
        assert process.stdout is not None
        yield Server(f"127.0.0.1:{int(process.stdout.readline())}", process.pid)


@contextmanager
def authsvc_server(store: str = "") -> Iterator[Server]:
    """The service as `make run` starts it, logging at info into a file; on another store where one is named."""
    with tempfile.TemporaryDirectory(prefix="authsvc-bench-") as folder:
        environ = {**os.environ, "AUTHSVC_STATE_DIR": folder, "AUTHSVC_LISTEN": "127.0.0.1:0"}
        if store:
            environ["AUTHSVC_STORE"] = store
        environ.pop("GRPC_EXPERIMENTS", None)
        code = "import sys; from authsvc.app import serve; sys.exit(serve(dev=True))"
        with (
            (Path(folder) / "log").open("wb") as log,
            _process([sys.executable, "-c", code], environ, log.fileno()) as process,
        ):
            assert process.stdout is not None
            process.stdout.readline()
            dev = json.loads((Path(folder) / "dev.json").read_text())
            grpc.channel_ready_future(grpc.insecure_channel(dev["target"])).result(timeout=10)
            yield Server(dev["target"], process.pid, dev["api_key"], dev["credential"])


@contextmanager
def _process(
    command: list[str], environ: dict[str, str], stderr: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=stderr)
    os.sched_setaffinity(process.pid, {SERVER_CORE})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)
