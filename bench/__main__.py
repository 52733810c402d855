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

from authsvc.v1 import admin_pb2, admin_pb2_grpc, auth_pb2, auth_pb2_grpc
from bench.load import Request, closed_loop
from bench.servers import CLIENT_CORE, Server, authsvc_server, echo_server

BATCH = 256
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


def service_rows(server: Server) -> Iterator[tuple[Row, int]]:
    """Every call of the service, with the size of payload its echo is made with."""
    import grpc

    channel = grpc.insecure_channel(server.target)
    auth, admin = auth_pb2_grpc.AuthServiceStub(channel), admin_pb2_grpc.AdminServiceStub(channel)
    settings = admin_pb2.AppSettings(algorithm=admin_pb2.ALGORITHM_HS256)
    admin.CreateApp(admin_pb2.CreateAppRequest(api_key="hs", settings=settings), metadata=server.metadata)

    def issue(api_key: str, *, refreshable: bool = False) -> auth_pb2.IssueTokenRequest:
        user = auth_pb2.User(id="sara", role="admin")
        return auth_pb2.IssueTokenRequest(api_key=api_key, user=user, refreshable=refreshable)

    def tokens(count: int) -> list[bytes]:
        return [
            auth_pb2.ValidateTokenRequest(
                api_key="dev", token=auth.IssueToken(issue("dev"), metadata=server.metadata).token
            ).SerializeToString()
            for _ in range(count)
        ]

    (repeated,) = tokens(1)
    size = len(repeated)
    yield measure("Validate, repeated token", server, f"{SERVICE}/ValidateToken", lambda _: repeated), size
    yield measure_batch(server, tokens(BATCH)), size
    fresh = tokens(4_000)
    yield measure("Validate, new token (ES256)", server, f"{SERVICE}/ValidateToken", fresh.__getitem__, 2_900), size
    for name, api_key in (("ES256", "dev"), ("HS256", "hs")):
        wire = issue(api_key).SerializeToString()
        yield measure(f"Issue {name}", server, f"{SERVICE}/IssueToken", _same(wire), CALLS // 2), size
    refreshes = [
        auth_pb2.RefreshTokenRequest(
            refresh_token=auth.IssueToken(issue("dev", refreshable=True), metadata=server.metadata).refresh_token
        ).SerializeToString()
        for _ in range(4_000)
    ]
    yield measure("Refresh (SQLite, ES256)", server, f"{SERVICE}/RefreshToken", refreshes.__getitem__, 2_900), size
    channel.close()


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
    with authsvc_server() as server:
        rows = list(service_rows(server))
    size = rows[0][1]
    echo = echo_of(f"bare echo of {size} bytes", size)
    without = echo_of("bare echo, without the listener flag", size, flag=False)
    without.ratio = echo.microseconds_cpu / without.microseconds_cpu
    for row, _ in rows:
        row.ratio = echo.microseconds_cpu / row.microseconds_cpu
    every = [echo, without, *(row for row, _ in rows)]
    _print(every)
    out = Path("var/bench.json")
    out.parent.mkdir(exist_ok=True, mode=0o700)
    out.write_text(json.dumps([asdict(row) for row in every], indent=2) + "\n")
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
