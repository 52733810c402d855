"""`make bench`: each call against a bare echo with payloads of the same size, in the same run.

Machines are noisy and shared, so the figure that counts is a ratio: processor time of the echo for a call, by that of
the service for a call. Server and client have a core each.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import grpc

from authsvc.v1 import admin_pb2, admin_pb2_grpc, auth_pb2, auth_pb2_grpc
from bench.imports import print_import_costs
from bench.load import Request, closed_loop, open_loop
from bench.servers import CLIENT_CORE, Server, authsvc_server, echo_server
from bench.verifier import print_growth, print_verifier_costs, verifier_costs

BATCH = 256
PAYLOAD = 400  # about what a validation carries
RATES = (500.0, 1_000.0, 2_000.0)  # calls a second that come whatever becomes of them
CALLS = int(os.environ.get("BENCH_CALLS", "20000"))
SERVICE = "/authsvc.v1.AuthService"


@dataclass
class Row:
    """One measured call, or one item of a measured batch."""

    name: str
    microseconds_cpu: float
    per_second: float
    p50_ms: float
    p99_ms: float
    memory_mib: float
    ratio: float = 1.0

    @property
    def per_core_second(self) -> float:
        """How many a core serves in a second, by the server's processor time."""
        return 1e6 / self.microseconds_cpu


def measure(
    name: str,
    server: Server,
    method: str,
    request: Request,
    calls: int = CALLS,
    *,
    items: int = 1,
    in_flight: int = 32,
) -> Row:
    """Warm up, then count what the server's process uses for a number of calls, or for each of their items."""
    load = partial(closed_loop, server.target, method, metadata=server.metadata, in_flight=in_flight)
    load(request, calls=min(1_000, calls // 4))
    before = server.cpu_seconds()
    result = load(lambda n: request(n + 1_000), calls=calls)
    if result.codes["OK"] != calls:
        raise SystemExit(f"{name}: not every call was answered with OK: {dict(result.codes)}")
    used = (server.cpu_seconds() - before) / (calls * items) * 1e6
    p50, p99 = result.percentile(0.5), result.percentile(0.99)
    return Row(name, used, result.per_second * items, p50, p99, server.memory_mib())


def echo_of(name: str, size: int, *, flag: bool = True, calls: int = CALLS) -> Row:
    """The echo of a payload of that size."""
    payload = os.urandom(size)
    with echo_server(flag=flag) as server:
        return measure(name, server, "/bench.Echo/Echo", lambda _: payload, calls)


class Desk:
    """What makes requests against a running server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._channel = grpc.insecure_channel(server.target)
        self._auth = auth_pb2_grpc.AuthServiceStub(self._channel)

    def make_app(self, api_key: str, algorithm: admin_pb2.Algorithm.ValueType) -> None:
        settings = admin_pb2.AppSettings(algorithm=algorithm)
        request = admin_pb2.CreateAppRequest(api_key=api_key, settings=settings)
        admin_pb2_grpc.AdminServiceStub(self._channel).CreateApp(request, metadata=self._server.metadata)

    def issue(self, api_key: str = "dev", *, refreshable: bool = False) -> auth_pb2.IssueTokenRequest:
        user = auth_pb2.User(id="sara", role="admin")
        return auth_pb2.IssueTokenRequest(api_key=api_key, user=user, refreshable=refreshable)

    def tokens(self, count: int) -> list[bytes]:
        """Requests to validate so many fresh tokens."""
        issued = (self._auth.IssueToken(self.issue(), metadata=self._server.metadata) for _ in range(count))
        return [auth_pb2.ValidateTokenRequest(api_key="dev", token=one.token).SerializeToString() for one in issued]

    def refreshes(self, count: int) -> list[bytes]:
        """Requests to refresh so many fresh sessions."""
        wish = self.issue(refreshable=True)
        opened = (self._auth.IssueToken(wish, metadata=self._server.metadata) for _ in range(count))
        return [auth_pb2.RefreshTokenRequest(refresh_token=one.refresh_token).SerializeToString() for one in opened]

    def close(self) -> None:
        self._channel.close()


ALGORITHMS = {
    "HS256": admin_pb2.ALGORITHM_HS256,
    "ES256": admin_pb2.ALGORITHM_ES256,
    "EdDSA": admin_pb2.ALGORITHM_EDDSA,
    "RS256": admin_pb2.ALGORITHM_RS256,
}


def service_rows(server: Server) -> Iterator[Row]:
    """Every call of the service on its embedded store."""
    desk = Desk(server)
    (repeated,) = desk.tokens(1)
    yield measure("Validate, repeated token", server, f"{SERVICE}/ValidateToken", _same(repeated))
    yield measure_batch(server, desk.tokens(BATCH))
    fresh = desk.tokens(4_000)
    yield measure("Validate, new token (ES256)", server, f"{SERVICE}/ValidateToken", fresh.__getitem__, 2_900)
    for name, algorithm in ALGORITHMS.items():
        desk.make_app(name, algorithm)
        wire = desk.issue(name).SerializeToString()
        yield measure(f"Issue {name}", server, f"{SERVICE}/IssueToken", _same(wire), CALLS // 2)
    yield measure_refresh("SQLite", server, desk)
    for rate in RATES:
        yield measure_open_loop(server, repeated, rate)
    desk.close()


def measure_refresh(backend: str, server: Server, desk: Desk) -> Row:
    """Each refresh turns a session of its own."""
    requests = desk.refreshes(4_000)
    return measure(f"Refresh ({backend}, ES256)", server, f"{SERVICE}/RefreshToken", requests.__getitem__, 2_900)


def measure_open_loop(server: Server, repeated: bytes, rate: float, seconds: float = 5.0) -> Row:
    """Calls that come whether or not earlier ones were answered: their latencies are what callers feel."""
    before = server.cpu_seconds()
    result = open_loop(
        server.target, f"{SERVICE}/ValidateToken", _same(repeated), server.metadata, rate=rate, seconds=seconds
    )
    used = (server.cpu_seconds() - before) / result.codes["OK"] * 1e6
    p50, p99 = result.percentile(0.5), result.percentile(0.99)
    return Row(f"Validate, {rate:,.0f} a second", used, result.per_second, p50, p99, server.memory_mib())


def postgres_rows() -> Iterator[Row]:
    """Refresh on PostgreSQL, on the server that a wheel of the development environment brings."""
    from tests.storage.postgres.server import Server as PostgresServer

    postgres = PostgresServer()
    try:
        with postgres.migrated() as database, authsvc_server(postgres.url(database)) as server:
            desk = Desk(server)
            yield measure_refresh("PostgreSQL", server, desk)
            desk.close()
    finally:
        postgres.close()


def measure_batch(server: Server, requests: list[bytes]) -> Row:
    """Validate tokens that the server has seen before, all in one call: the figures are those of one token."""
    items = [auth_pb2.ValidateTokenRequest.FromString(request) for request in requests]
    wire = auth_pb2.BatchValidateTokensRequest(requests=items).SerializeToString()
    name, method = f"Validate, {len(items)} repeated tokens a call", f"{SERVICE}/BatchValidateTokens"
    # Two at a time: their items are all the places that one caller has.
    return measure(name, server, method, _same(wire), CALLS // 50, items=len(items), in_flight=2)


def _same(wire: bytes) -> Callable[[int], bytes]:
    return lambda _: wire


def main() -> int:
    """Measure, print, and write what was measured to ``var/bench.json``."""
    os.sched_setaffinity(0, {CLIENT_CORE} & os.sched_getaffinity(0) or os.sched_getaffinity(0))
    echo = echo_of(f"bare echo of {PAYLOAD} bytes", PAYLOAD)
    without = echo_of("bare echo, without the listener flag", PAYLOAD, flag=False)
    with authsvc_server() as server:
        rows = list(service_rows(server))
        checking = verifier_costs(server)
    rows += postgres_rows()
    every = [echo, without, *rows]
    for row in every:
        row.ratio = echo.microseconds_cpu / row.microseconds_cpu
    _print(every)
    checked = print_verifier_costs(checking)
    print_growth()
    print_import_costs()
    out = Path("var/bench.json")
    out.parent.mkdir(exist_ok=True, mode=0o700)
    out.write_text(json.dumps([*(asdict(row) for row in every), *checked], indent=2) + "\n")
    return 0


def _print(rows: list[Row]) -> None:
    print(
        f"{'call':40} {'ratio':>6} {'cpu/call':>10} {'/s a core':>10} {'calls/s':>9}"
        f" {'p50':>8} {'p99':>8} {'memory':>9}"
    )
    for row in rows:
        print(
            f"{row.name:40} {row.ratio:6.2f} {row.microseconds_cpu:7.1f} µs {row.per_core_second:10,.0f}"
            f" {row.per_second:9,.0f} {row.p50_ms:5.2f} ms {row.p99_ms:5.2f} ms {row.memory_mib:5.0f} MiB"
        )


if __name__ == "__main__":
    sys.exit(main())
