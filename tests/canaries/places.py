"""Where a secret could come out: filled by a server in this process, and by one that is a process of its own."""

from __future__ import annotations

import io
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import grpc
from google.protobuf.struct_pb2 import Struct
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from authsvc.accounts.requests import AccountProfile
from authsvc.accounts.rules import EVERY_PERMISSION
from authsvc.app.composition import Domain, build_server, open_domain
from authsvc.client import AuthClient, Retries
from authsvc.client.credential import Bearer
from authsvc.clock import system_clock, system_randomness
from authsvc.config import Settings, load_settings
from authsvc.logs import Console, JsonLines, Level, SecretBytes, SecretText, SentrySink, sentry_client
from authsvc.rpc.limits import Limits
from authsvc.rpc.server import RpcServer
from authsvc.rpc.tls import read_pair
from authsvc.rpc.tracing import Tracing
from authsvc.signing.sealing import Kek, load_kek
from authsvc.storage import open_store
from authsvc.tokens.requests import IssueRequest, RefreshRequest, ValidateRequest
from authsvc.v1 import auth_pb2, auth_pb2_grpc
from tests.alarms import HandAlarms
from tests.canaries.kinds import Kinds, private_parts_of_pem
from tests.canaries.objects import DATA, Gatherer
from tests.canaries.pushing import APP_KINDS, Pusher, everything_told
from tests.logs.sentry_transport import KeepingTransport
from tests.rpc.surface import auth_of, surface_of
from tests.tls_files import write_pair

_READY_WITHIN = 30.0


@dataclass
class Seen:
    """What came out, by place; the secrets that must not be there, and the marker that must."""

    kinds: Kinds = field(default_factory=Kinds)
    marker: str = field(default_factory=lambda: f"marker{secrets.token_hex(12)}")
    places: dict[str, bytes] = field(default_factory=dict)
    types: set[str] = field(default_factory=set)

    def with_places(self, places: Mapping[str, bytes]) -> Self:
        """With these places, too."""
        return replace(self, places={**self.places, **places})


def in_this_process(folder: Path) -> Seen:
    """A server with every sink, spans and metrics, at trace; what breaks about it; and those who call it."""
    seen = Seen()
    lines, console = io.StringIO(), io.StringIO()
    transport, exporter, gatherer = KeepingTransport(), InMemorySpanExporter(), Gatherer()
    password = secrets.token_urlsafe(24)
    seen.kinds.add_text("password of Sentry's DSN", password)
    sentry = sentry_client(SecretText(f"https://public:{password}@sentry.invalid/1"), release="1", transport=transport)
    sinks = (JsonLines(lines), Console(console), SentrySink(sentry.capture_event, minimum=Level.TRACE), gatherer)

    def everywhere(level: Level, message: str, event: Mapping[str, Any]) -> None:
        for sink in sinks:
            sink(level, message, event)

    tracing = Tracing(SimpleSpanProcessor(exporter))
    with ExitStack() as lifetimes:
        settings = Settings(state_dir=folder / "var")
        kek = Kek(secrets.token_bytes(32))
        domain = lifetimes.enter_context(open_domain(settings, kek, alarm=HandAlarms()))
        domain.logs.configure_loggers({"default": {"level": "trace", "sink": everywhere}})
        credential = domain.accounts.create_as(
            "test", AccountProfile("all", EVERY_PERMISSION, all_apps=True)
        ).credential.text
        target = lifetimes.enter_context(serving(build_server(domain, dev=False, reflection=True, tracing=tracing)))
        with grpc.insecure_channel(target) as channel:
            pusher = Pusher(channel, credential, seen.kinds, seen.marker)
            pusher.push()
            gatherer.without = DATA
            pusher.misplace()
        seen.kinds.add_keys_of(domain, {**APP_KINDS, seen.marker: "signing key ES256"})
        told = pusher.told + what_a_broken_server_tells(domain, tracing, credential, pusher.texts.values())
        faults = "\n".join(map(all_of_error, errors(seen, folder, target, credential)))
        domain.metrics.calls.know([seen.marker])
        gatherer.gather()
        gatherer.without = ()
        gatherer.keep(short_lived(pusher.texts.values()))
        seen.places |= {
            "metrics": domain.metrics.exposition(),
            "database": files_of(folder / "var"),
            "texts of objects": gatherer.texts(),
            "pickles of objects": gatherer.pickles(),
        }
        seen.types = gatherer.types
    sentry.close()
    tracing.close()
    return seen.with_places(
        {
            "JSON lines": lines.getvalue().encode(),
            "console lines": console.getvalue().encode(),
            "Sentry events": transport.wire,
            "spans": "\n".join(span.to_json() for span in exporter.get_finished_spans()).encode(),
            "what callers are told": told,
            "errors that are raised": faults.encode(),
            "database after the end": files_of(folder / "var"),
        }
    )


def in_a_process(folder: Path) -> Seen:
    """A server as operators run it, over TLS and at trace, and a start that fails."""
    seen, state, outside = Seen(), folder / "var", folder / "outside"
    outside.mkdir()
    kek = secrets.token_bytes(32)
    (outside / "kek").write_bytes(kek)
    (outside / "kek").chmod(0o600)
    certificate, key = write_pair(outside)
    seen.kinds.add("key of TLS", *private_parts_of_pem(key.read_bytes()))
    password = secrets.token_urlsafe(24)
    seen.kinds.add_text("password of the store's DSN", password)
    process = Process(
        folder / "output",
        AUTHSVC_STATE_DIR=str(state),
        AUTHSVC_KEK_FILE=str(outside / "kek"),
        AUTHSVC_LISTEN="127.0.0.1:0",
        AUTHSVC_LOG_LEVELS="default=trace",
        AUTHSVC_TLS_CERT=str(certificate),
        AUTHSVC_TLS_KEY=str(key),
        TEST_MARKER=seen.marker,
    )
    process.run("accounts", "bootstrap", "--name", "ops", "--credential-file", str(outside / "credential"))
    with process.serving() as (pid, target):
        roots = grpc.ssl_channel_credentials(certificate.read_bytes())
        with grpc.secure_channel(target, roots) as channel:
            pusher = Pusher(channel, (outside / "credential").read_text().strip(), seen.kinds, seen.marker)
            pusher.push()
            pusher.misplace()
        around = b"\n".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("environ", "cmdline", "status"))
        files = files_of(state)
    process.run("serve", AUTHSVC_STORE=f"postgresql://svc:{password}@127.0.0.1:1/auth", accept=(1, 2))
    process.run("serve", AUTHSVC_STORE=f"mysql://svc:{password}@127.0.0.1:1/auth", accept=(2,))
    with open_domain(Settings(state_dir=state), Kek(kek), alarm=HandAlarms()) as domain:
        seen.kinds.add_keys_of(domain, {**APP_KINDS, seen.marker: "signing key ES256"})
    return seen.with_places(
        {
            "output of a process": process.output.read_bytes(),
            "files of a process": files,
            "files of a process after its end": files_of(state),
            "environment of a process": around,
            "what callers of a process are told": pusher.told,
        }
    )


def short_lived(texts: Iterable[str]) -> Iterator[object]:
    """What is made of a request, or by a client, and is gone before a line is written."""
    for text in texts:
        yield IssueRequest(request_id=text)
        yield RefreshRequest(text, request_id=text)
        yield ValidateRequest(text)
        yield SecretText(text)
        yield SecretBytes(text.encode())
        yield Bearer(text)


def what_a_broken_server_tells(domain: Domain, tracing: Tracing, credential: str, texts: Iterable[str]) -> bytes:
    """A server whose use cases fail with secrets in their exceptions, and in the causes of those."""
    told = b""

    def breaks(request: auth_pb2.ValidateTokenRequest, call: object) -> None:
        del call
        try:
            raise ValueError(request.token)
        except ValueError as cause:
            fault = RuntimeError("SELECT", request.token, {"token": request.token})
            fault.add_note(request.token)
            raise fault from cause

    surface = surface_of(domain, auth_of(breaks))
    rpc = RpcServer(surface, domain.logs, system_randomness, Limits(), domain.metrics, tracing)
    with serving(rpc) as target, grpc.insecure_channel(target) as channel:
        stub = auth_pb2_grpc.AuthServiceStub(channel)
        for text in texts:
            try:
                request = auth_pb2.ValidateTokenRequest(token=text)
                stub.ValidateToken(request, metadata=(("authorization", f"Bearer {credential}"),))
            except grpc.RpcError as refused:
                told += everything_told(refused)
    return told


def errors(seen: Seen, folder: Path, target: str, credential: str) -> Iterator[Exception]:
    """What our code raises in a program that uses it wrongly, or where something is not as it should be."""
    password = secrets.token_urlsafe(24)
    seen.kinds.add_text("password of a DSN in a program", password)
    first, second = folder / "first", folder / "second"
    for place in (first, second):
        place.mkdir()
        _, key = write_pair(place)
        seen.kinds.add("key of TLS in a program", *private_parts_of_pem(key.read_bytes()))
    kek = secrets.token_bytes(33)
    seen.kinds.add("key-encryption key of a wrong size", kek)
    (folder / "kek").write_bytes(kek)
    (folder / "kek").chmod(0o600)
    for fails in (
        lambda: open_store(f"postgresql://svc:{password}@127.0.0.1:1/auth", clock=system_clock),
        lambda: open_store(f"mysql://svc:{password}@127.0.0.1:1/auth", clock=system_clock),
        lambda: open_store(f"sqlite://svc:{password}@host/x", clock=system_clock),
        lambda: read_pair(first / "tls.crt", second / "tls.key"),
        lambda: read_pair(first / "tls.key", first / "tls.crt"),
        lambda: load_kek(folder / "kek"),
        lambda: load_settings({"AUTHSVC_LISTEN": password, "AUTHSVC_SHUTDOWN_GRACE": password}),
        lambda: AuthClient(target, f"{credential} {credential}"),
        lambda: _ask(target, f"{credential}x", seen.marker),
        lambda: _ask(target, credential, seen.marker),
        lambda: _ask("127.0.0.1:1", credential, seen.marker),
    ):
        try:
            fails()
        except Exception as fault:  # noqa: BLE001 - each kind of them
            yield fault
        else:
            raise AssertionError("it did not fail")


def _ask(target: str, credential: str, marker: str) -> None:
    """Issue a token with a claim that nobody can have, named by the marker."""
    claims = Struct()
    claims[marker] = float("inf")
    with AuthClient(target, credential, retries=Retries(limit=0)) as client:
        client.issue_token(
            auth_pb2.IssueTokenRequest(api_key="es256", user=auth_pb2.User(id="x"), custom_claims=claims)
        )


def all_of_error(fault: Exception) -> str:
    """An error as programs print it, with its causes and the arguments it was made of."""
    return "\n".join((*traceback.format_exception(fault), repr(fault), str(fault), repr(vars(fault))))


@contextmanager
def serving(rpc: RpcServer) -> Iterator[str]:
    """Serve on a port of its own; the address."""
    port = rpc.listen("127.0.0.1:0")
    try:
        yield f"127.0.0.1:{port}"
    finally:
        rpc.stop(lame_duck=timedelta(0), grace=timedelta(seconds=2))


def files_of(folder: Path) -> bytes:
    """Every file below a folder, by name and content."""
    return b"\n".join(str(path).encode() + path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


class Process:
    """Runs the command with these settings; all that it prints goes to one file."""

    def __init__(self, output: Path, **environ: str) -> None:
        self.output = output
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("AUTHSVC_", "GRPC_", "OTEL_"))
        }
        self._environ = {**kept, **environ}

    def run(self, *arguments: str, accept: Sequence[int] = (0,), **more: str) -> None:
        """Run it to its end."""
        with self._start(*arguments, **more) as process:
            code = process.wait(_READY_WITHIN)
        assert code in accept, self.output.read_text()[-1000:]

    @contextmanager
    def serving(self) -> Iterator[tuple[int, str]]:
        """Serve for as long as the block runs; its process id and address."""
        with self._start("serve") as process:
            try:
                yield process.pid, self._address()
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(_READY_WITHIN)

    def _start(self, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        with self.output.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "authsvc", *arguments],
                env={**self._environ, **more},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _address(self) -> str:
        end = time.monotonic() + _READY_WITHIN
        while time.monotonic() < end:
            for line in self.output.read_text().splitlines():
                if '"server ready"' in line:
                    return str(json.loads(line)["target"])
            time.sleep(0.02)
        raise AssertionError(self.output.read_text()[-1000:])
