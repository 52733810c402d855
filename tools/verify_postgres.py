"""The long proofs on PostgreSQL: restarts, sessions thrown out and connections cut, under a service that goes on.

Each has a server of its own and one process of the service, which is never started again.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from tests.races import surviving
from tests.races.persisting import Caller, calling, recovered_after
from tests.races.server_process import ServerProcess
from tests.races.wire import REPLAYED, ROTATED, Wire, connected, new_request_id
from tests.storage.postgres.server import Server
from tests.storage.postgres.wire import Cut
from tests.storage.postgres.wire import Wire as Network
from tools.proofs import Part, Result, race, within_limit

CALLERS = 64
RECOVERY_SECONDS = 10.0
_BETWEEN = CALLERS * 4  # acknowledgements from one disaster to the next
_OURS = "FROM pg_stat_activity WHERE application_name LIKE 'authsvc%' AND datname = current_database()"


@dataclass(frozen=True)
class Stage:
    """A database server, the network before it, and the service that uses both."""

    server: Server
    database: str
    network: Network
    process: ServerProcess


def race_on_postgres(count: int) -> Result:
    """``race`` with PostgreSQL as the store."""
    with _stage() as stage:
        return race(count, stage.process)


def restart(count: int) -> Result:
    """The database server restarted, every fourth time by a crash, under 64 refreshers."""

    def disaster(stage: Stage, number: int) -> int:
        stage.server.stop("immediate" if number % 4 == 3 else "fast")
        stage.server.start()
        return 1

    return _survive(count, disaster, "restarts")


def terminate(count: int) -> Result:
    """Sessions of the service ended by the database server, some at a time, under 64 refreshers."""
    chance = random.Random(count)  # noqa: S311 - repeats itself

    def disaster(stage: Stage, _: int) -> int:
        some = chance.randrange(1, 12)
        ended = f"SELECT pg_terminate_backend(pid) FROM (SELECT pid {_OURS} ORDER BY random() LIMIT {some}) AS picked"  # noqa: S608
        with stage.server.connect(stage.database) as connection:
            return len(connection.execute(ended).fetchall())

    return _survive(count, disaster, "terminated")


def cut(count: int) -> Result:
    """Connections cut before and after the commit of a refresh; the caller asks again, by a request id or in time."""
    result = Result(numbers={"cut before the commit": 0, "cut after the commit": 0})
    with _stage(cuttable=True) as stage, connected(stage.process.target, stage.process.credential) as wire:
        for number in within_limit(count, result):
            how = (Cut.BEFORE_COMMIT, Cut.AFTER_COMMIT)[number % 2]
            name = "cut after the commit" if number % 2 else "cut before the commit"
            result.numbers[name] = number // 2 + 1
            faults = _cut_once(wire, stage.network, how, new_request_id() if number % 4 > 1 else "")
            result.faults += [f"cut {number}: {fault}" for fault in faults]
        if stage.network.broken != count:
            result.faults.append(f"{stage.network.broken} connections were cut instead of {count}")
    return result


PARTS: Mapping[str, Part] = {
    "race-postgres": Part(500, "rounds", race_on_postgres),
    "restart-postgres": Part(20, "restarts", restart),
    "terminate-postgres": Part(200, "sessions", terminate),
    "cut-postgres": Part(500, "cuts", cut),
}


def _survive(count: int, disaster: Callable[[Stage, int], int], name: str) -> Result:
    """Disaster after disaster, until so many things were struck; each time all callers are served again in time."""
    result, ledger, seconds, struck = Result(), surviving.Ledger(), list[float](), 0
    with _stage() as stage, connected(stage.process.target, stage.process.credential) as wire:
        with calling(wire, ledger, CALLERS) as callers:
            for number in within_limit(count, result):
                ledger.wait_for(_BETWEEN)
                struck += disaster(stage, number)
                seconds += _recovery(callers, number, result)
                if result.faults or ledger.faults or struck >= count:
                    break
        result.faults += surviving.faults_after(wire, ledger)
        if not stage.process.running:
            result.faults.append("the service's process has ended")
    result.numbers |= {
        name: struck,
        "rotations": ledger.rotations,
        "revocations": ledger.revocations,
        "calls that failed and were repeated": sum(caller.failed for caller in callers),
        "recovered after s, median": round(statistics.median(seconds), 2),
        "recovered after s, longest": round(max(seconds), 2),
    }
    return result


def _recovery(callers: list[Caller], number: int, result: Result) -> list[float]:
    seconds = recovered_after(callers, time.monotonic(), bound=RECOVERY_SECONDS)
    if seconds is None:
        result.faults.append(f"disaster {number}: not all callers were served again within {RECOVERY_SECONDS:.0f} s")
    return [RECOVERY_SECONDS if seconds is None else seconds]


def _cut_once(wire: Wire, network: Network, how: Cut, request_id: str) -> list[str]:
    token = wire.issue().refresh_token
    network.cut(how)
    try:
        outcome = wire.refresh(token, request_id=request_id).outcome
    except grpc.RpcError as refused:
        faults = [] if refused.code() is grpc.StatusCode.UNAVAILABLE else [f"the refresh ended with {refused.code()}"]
    else:
        faults = [f"the refresh was acknowledged: {outcome}"]
    again, wanted = wire.refresh(token, request_id=request_id), REPLAYED if how is Cut.AFTER_COMMIT else ROTATED
    if again.outcome != wanted:
        return [*faults, f"asked again, it is {again.outcome} instead of {wanted}"]
    outcome = wire.refresh(again.child).outcome
    return faults if outcome == ROTATED else [*faults, f"the child's refresh is {outcome}"]


@contextmanager
def _stage(*, cuttable: bool = False) -> Iterator[Stage]:
    """A service on a database of its own, ``cuttable`` through the network (which takes its time)."""
    server = Server()
    network = Network(server.socket)
    try:
        with server.empty() as name, tempfile.TemporaryDirectory(prefix="authsvc-verify-") as state_dir:
            networked = f"postgresql://postgres@127.0.0.1:{network.port}/{name}?sslmode=disable&gssencmode=disable"
            process = ServerProcess(Path(state_dir), networked if cuttable else server.url(name))
            try:
                process.start()
                yield Stage(server, name, network, process)
            finally:
                process.kill()
    finally:
        network.close()
        server.close()
