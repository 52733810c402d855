"""`make bench`: each call against a bare echo with payloads of the same sizes, in the same run.

Machines are noisy and shared, so the figure that counts is a ratio: processor time of the echo for a call, by that of
the service for a call. Server and client have a core each. Where a goal is missed the table says so, and nothing fails.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import grpc

from authsvc.v1 import admin_pb2, admin_pb2_grpc, auth_pb2, auth_pb2_grpc
from bench.imports import print_import_costs
from bench.logs import print_log_costs
from bench.rows import CALLS, SECONDS, Load, Row, echo_load, measure, measure_at
from bench.servers import CLIENT_CORE, Server, authsvc_server, echo_server
from bench.verifier import print_growth, print_verifier_costs, verifier_costs
from tools.verify import circumstances

BATCH = 256
PLAIN = (400, 400)  # bytes both ways, about what a validation carries
RATES = (500.0, 1_000.0, 2_000.0)  # calls a second that come whatever becomes of them
STEADY = 1_000.0
CROWD = 128
SERVICE = "/authsvc.v1.AuthService"


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


ALGORITHMS: Mapping[str, tuple[admin_pb2.Algorithm.ValueType, float | None]] = {
    "HS256": (admin_pb2.ALGORITHM_HS256, 0.55),
    "ES256": (admin_pb2.ALGORITHM_ES256, 0.45),
    "EdDSA": (admin_pb2.ALGORITHM_EDDSA, None),
    "RS256": (admin_pb2.ALGORITHM_RS256, None),
}
"""With the ratio that issuing is to reach."""


def service_rows(server: Server, echo: Server) -> Iterator[Row]:
    """Every call of the service on its embedded store."""
    desk = Desk(server)
    (repeated,) = desk.tokens(1)
    validation = Load("Validate, repeated token", f"{SERVICE}/ValidateToken", _same(repeated), goal=0.75)
    yield measure(validation, server, echo)
    yield measure(batch_of(desk.tokens(BATCH)), server, echo)
    fresh = desk.tokens(4_000)
    yield measure(
        Load("Validate, new token (ES256)", f"{SERVICE}/ValidateToken", fresh.__getitem__, 2_900), server, echo
    )
    issues = {}
    for name, (algorithm, goal) in ALGORITHMS.items():
        desk.make_app(name, algorithm)
        request = _same(desk.issue(name).SerializeToString())
        issues[name] = Load(f"Issue {name}", f"{SERVICE}/IssueToken", request, CALLS // 2, goal=goal)
        yield measure(issues[name], server, echo)
    yield measure(refreshes(desk, "SQLite", 0.40), server, echo)
    yield measure(crowded(refreshes(desk, "SQLite", 0.40)), server, echo)
    for rate in RATES:
        yield measure_at(rate, validation, server, echo)
    yield measure_at(STEADY, issues["ES256"], server, echo)
    yield measure_at(STEADY, refreshes(desk, "SQLite"), server, echo)
    desk.close()


def postgres_rows(echo: Server) -> Iterator[Row]:
    """Refresh on PostgreSQL, on the server that a wheel of the development environment brings, as it is installed: it
    waits for the disk. It runs on the core of the client, and its own processor time is not counted."""
    from tests.storage.postgres.server import Server as PostgresServer

    postgres = PostgresServer(durable=True)
    try:
        with postgres.migrated() as database, authsvc_server(postgres.url(database)) as server:
            desk = Desk(server)
            yield measure(refreshes(desk, "PostgreSQL", 0.25), server, echo)
            yield measure(crowded(refreshes(desk, "PostgreSQL", 0.25)), server, echo)
            yield measure_at(STEADY, refreshes(desk, "PostgreSQL"), server, echo)
            desk.close()
    finally:
        postgres.close()


def refreshes(desk: Desk, backend: str, goal: float | None = None) -> Load:
    """Each refresh turns a session of its own."""
    wires = desk.refreshes(int(STEADY * SECONDS) + 1 if goal is None else 4_000)
    return Load(f"Refresh ({backend}, ES256)", f"{SERVICE}/RefreshToken", wires.__getitem__, 2_900, goal=goal)


def crowded(load: Load) -> Load:
    """The same with four times as many callers: more of them share a look at the store and a commit."""
    return replace(load, name=f"{load.name}, {CROWD} in flight", in_flight=CROWD)


def batch_of(requests: list[bytes]) -> Load:
    """Validate tokens that the server has seen before, all in one call: the figures are those of one token."""
    items = [auth_pb2.ValidateTokenRequest.FromString(request) for request in requests]
    wire = auth_pb2.BatchValidateTokensRequest(requests=items).SerializeToString()
    name, method = f"Validate, {len(items)} repeated tokens a call", f"{SERVICE}/BatchValidateTokens"
    # Two at a time: their items are all the places that one caller has.
    return Load(name, method, _same(wire), CALLS // 50, items=len(items), in_flight=2)


def _same(wire: bytes) -> Callable[[int], bytes]:
    return lambda _: wire


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write what was measured to ``var/bench.json``."""
    parser = argparse.ArgumentParser("make bench", description="Measures everything; it takes no arguments.")
    parser.epilog = "BENCH_CALLS (20000) in the environment says how many calls each figure is of."
    parser.parse_args(arguments)
    os.sched_setaffinity(0, {CLIENT_CORE} & os.sched_getaffinity(0) or os.sched_getaffinity(0))
    with echo_server(flag=True) as echo:
        with authsvc_server() as server:
            rows = list(service_rows(server, echo))
            checking = verifier_costs(server)
        rows += postgres_rows(echo)
        with echo_server(flag=False) as without:
            plain = replace(echo_load(*PLAIN), name="bare echo, without the listener flag")
            rows.append(measure(plain, without, echo))
    _print(rows)
    checked = print_verifier_costs(checking)
    print_growth()
    print_import_costs()
    print_log_costs()
    out = Path("var/bench.json")
    out.parent.mkdir(exist_ok=True, mode=0o700)
    kept = {
        **circumstances(datetime.now(UTC)),
        "calls": [{**asdict(row), "ratio": round(row.ratio, 3)} for row in rows],
        "checking a token": checked,
    }
    out.write_text(json.dumps(kept, indent=2) + "\n")
    return 0


def _print(rows: list[Row]) -> None:
    print(
        f"{'call':42} {'bytes':>13} {'echo':>9} {'cpu/call':>10} {'ratio':>6} {'goal':>12} {'/s a core':>10}"
        f" {'calls/s':>9} {'p50':>8} {'p99':>8} {'memory':>9}"
    )
    for row in rows:
        goal = "" if row.goal is None else f"{row.goal:.2f} {'reached' if row.ratio >= row.goal else 'missed'}"
        print(
            f"{row.name:42} {row.request_bytes:6,}→{row.answer_bytes:6,} {row.echo_microseconds_cpu:6.1f} µs"
            f" {row.microseconds_cpu:7.1f} µs {row.ratio:6.2f} {goal:>12} {row.per_core_second:10,.0f}"
            f" {row.per_second:9,.0f} {row.p50_ms:5.2f} ms {row.p99_ms:5.2f} ms {row.memory_mib:5.0f} MiB"
        )


if __name__ == "__main__":
    sys.exit(main())
