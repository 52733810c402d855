"""The proofs behind ``make verify``: what each does, how often, and what is wrong with what it found."""

from __future__ import annotations

import os

os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_listener")  # as the server sets it, before gRPC is imported

import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from authsvc.v1 import admin_pb2, admin_pb2_grpc
from tests.races import headers_only, presenting, revoking, surviving
from tests.races.server_process import ServerProcess
from tests.races.wire import Wire, connected

LIMIT_SECONDS = 570.0


@dataclass
class Result:
    """What a part found: it passed when nothing is wrong."""

    faults: list[str] = field(default_factory=list)
    numbers: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """A proof and how often it is done unless told otherwise."""

    count: int
    unit: str
    prove: Callable[[int], Result]


def race_on_sqlite(count: int) -> Result:
    """``race`` with the embedded store."""
    with _server() as process:
        return race(count, process)


def race(count: int, process: ServerProcess) -> Result:
    """One refresh token presented by 64 at once; and one session refreshed on while it is revoked."""
    result, outcomes, refreshed, moments = Result(), Counter[str](), 0, random.Random(count)  # noqa: S311 - repeats itself
    with connected(process.target, process.credential) as wire:
        for number in within_limit(count, result):
            raced = presenting.race(wire, user=f"user-{number}")
            outcomes += raced.outcomes
            played = revoking.race(wire, lambda first: _steal(wire, first.refresh_token), moments.randrange(4))
            refreshed += len(played.attempts)
            faults = [*raced.faults, *revoking.faults_of(played, wire.status)]
            result.faults += [f"round {number}: {fault}" for fault in faults]
    result.numbers |= {"presented at once": presenting.CROWD, **outcomes, "refreshes against revocation": refreshed}
    return result


def race_revocations_on_sqlite(count: int) -> Result:
    """``race_revocations`` with the embedded store."""
    with _server() as process:
        return race_revocations(count, process)


def race_revocations(count: int, process: ServerProcess) -> Result:
    """Each target of RevokeTokens against refreshing, or showing, what it ends: so many times each, in its own app."""
    result, targets = Result(), (*revoking.SESSION_TARGETS, *revoking.TOKEN_TARGETS)
    with ThreadPoolExecutor(len(targets)) as pool:
        for found in pool.map(lambda target: _race_target(target, count, process), targets):
            result.faults += found.faults
            result.numbers |= found.numbers
    return result


def _race_target(target: str, count: int, process: ServerProcess) -> Result:
    result, uses, moments = Result(), 0, random.Random(target)  # noqa: S311 - repeats itself
    api_key = _another_app(process, f"race-{target}")
    with connected(process.target, process.credential, api_key=api_key) as wire:
        for number in within_limit(count, result):
            if target in revoking.TOKEN_TARGETS:
                by = revoking.TOKEN_TARGETS[target](wire)
                faults = revoking.race_with_a_token(wire, by, moments.randrange(4))
                uses += 1
            else:
                played = revoking.race(wire, revoking.SESSION_TARGETS[target](wire), moments.randrange(4))
                faults = revoking.faults_of(played, wire.status)
                uses += len(played.attempts)
            result.faults += [f"round {number}, {target}: {fault}" for fault in faults]
    what = "rounds" if target in revoking.TOKEN_TARGETS else "refreshes"
    result.numbers[f"{what} against {target}"] = uses
    return result


def kill(count: int) -> Result:
    """SIGKILL under 64 refreshers, an issuer and a revoker; every acknowledged change is there after each restart."""
    result, ledger, moments, ready = Result(), surviving.Ledger(), random.Random(count), []  # noqa: S311 - repeats itself
    with _server() as process:
        for number in within_limit(count, result):
            with connected(process.target, process.credential) as wire:
                load = surviving.Load(wire, ledger, refreshers=64)
                surviving.stop_at_once(process.kill, load, ledger, moments.randrange(10, 2_000))
            ready.append(process.start())
            with connected(process.target, process.credential) as wire:
                faults = surviving.faults_after(wire, ledger)
            result.faults += [f"point {number}: {fault}" for fault in faults]
            if faults:
                break
    result.numbers |= {
        "rotations": ledger.rotations,
        "issues": ledger.issues,
        "revocations": ledger.revocations,
        "ready after s, median": round(statistics.median(ready), 2),
        "ready after s, longest": round(max(ready), 2),
    }
    return result


def hold_headers(count: int) -> Result:
    """A good caller, idle and attacked, in one run: ≥ 99 % succeed, and p99 is at most three times the idle one."""
    result = Result()
    with _server() as process:
        attacker = _another_account(process)
        idle = headers_only.call_steadily(process.target, process.credential, 5)
        orders = headers_only.Orders(process.target, attacker, count)
        with headers_only.attacked(orders) as fates:
            met = headers_only.call_steadily(process.target, process.credential, count)
        idle += headers_only.call_steadily(process.target, process.credential, 5)
    ratio = met.milliseconds(0.99) / idle.milliseconds(0.99)
    if met.success < 0.99:
        result.faults.append(f"only {met.success:.2%} of the good caller's calls succeeded")
    if ratio > 3:
        result.faults.append(f"p99 is {ratio:.1f} times that of an idle server")
    result.numbers |= {"idle": idle.numbers(), "attacked": met.numbers(), "p99 ratio": round(ratio, 2)}
    result.numbers["streams"] = {
        "held": orders.connections * orders.streams,
        "opened again within s": headers_only.REOPENED_WITHIN,
        **fates,
    }
    return result


PARTS: Mapping[str, Part] = {
    "race": Part(500, "rounds", race_on_sqlite),
    "race-revoke": Part(2_000, "revocations of each kind", race_revocations_on_sqlite),
    "kill": Part(30, "points", kill),
    "headers-only": Part(30, "seconds", hold_headers),
}


@contextmanager
def _server() -> Iterator[ServerProcess]:
    with tempfile.TemporaryDirectory(prefix="authsvc-verify-") as state_dir:
        process = ServerProcess(Path(state_dir))
        try:
            process.start()
            yield process
        finally:
            process.kill()


def within_limit(count: int, result: Result, *, seconds: float = LIMIT_SECONDS) -> Iterator[int]:
    """Count, and note a fault when time is up before the end: less than what was asked for is no proof of it."""
    ends = time.monotonic() + seconds
    for number in range(count):
        if time.monotonic() >= ends:
            result.faults.append(f"only {number} of {count} within {seconds:.0f} s")
            return
        yield number


def _steal(wire: Wire, first: str) -> None:
    outcome = wire.refresh(first).outcome
    if outcome != "REFRESH_TOKEN_REUSED":
        raise RuntimeError(f"a stolen refresh token is answered with {outcome}")


def _another_app(process: ServerProcess, api_key: str) -> str:
    metadata = (("authorization", f"Bearer {process.credential}"),)
    with grpc.insecure_channel(process.target) as channel:
        request = admin_pb2.CreateAppRequest(api_key=api_key)
        admin_pb2_grpc.AdminServiceStub(channel).CreateApp(request, metadata=metadata, timeout=10)
    return api_key


def _another_account(process: ServerProcess) -> str:
    request = admin_pb2.CreateServiceAccountRequest(name="attacker", permissions=["tokens.validate"], all_apps=True)
    metadata = (("authorization", f"Bearer {process.credential}"),)
    with grpc.insecure_channel(process.target) as channel:
        made = admin_pb2_grpc.AdminServiceStub(channel).CreateServiceAccount(request, metadata=metadata, timeout=10)
    return made.credential
