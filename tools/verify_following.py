"""The long proofs of workers that follow each other: how soon they know, what outlives a revocation, what it weighs."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc

from tests.following import interleaving, million
from tests.following.half_load import Orders, half_loaded
from tests.following.pair import Pair, Peer, reason_of, serving
from tests.following.visibility import TARGETS, Seen, disable_and_watch, revoke_and_watch
from tests.storage.postgres.server import Server
from tests.storage.postgres.wire import Wire as Network
from tools.proofs import Part, Result, within_limit

STALENESS_SECONDS = 5.0
MOST_MEGABYTES, MOST_START_SECONDS, MOST_RATIO = 150.0, 5.0, 1.10
_RECOVERY_SECONDS = 10.0
_WITHOUT_NOTIFICATIONS = 5
"""One in so many is done again without notifications: each takes a poll, so 5,000 of each of six kinds would take a
quarter of an hour, and a part has ten minutes."""


def follow(count: int) -> Result:
    """Revocations of each kind at half load, by one of two processes and then by the other; then a fifth as many
    without notifications, as each takes a poll; then the store cut."""
    result, polled = Result(), max(2, count // _WITHOUT_NOTIFICATIONS)
    with _stage() as (pair, _):
        _watch_all(pair, count, result, "")
    with _stage(notifications=False) as (pair, _):
        _watch_all(pair, polled, result, ", notifications cut")
    with _stage() as (pair, server):
        _cut_the_store(pair, server, result)
    result.numbers = {"of each kind": count, "of each kind, notifications cut": polled, **result.numbers}
    return result


def interleave(count: int) -> Result:
    """Two revocations and a mint within a second, on two processes: no token minted before a revocation survives it."""
    result, chance, between, rounds = Result(), random.Random(count), 0, 0  # noqa: S311 - repeats itself
    with _stage() as (pair, _):
        peers = (pair.peers[0], pair.peers[1])
        for number in within_limit(count, result):
            played = interleaving.play(peers, chance)
            result.faults += [f"round {number}: {fault}" for fault in interleaving.faults_of(played)]
            rounds += 1
            between += interleaving.ALIVE in played.during.statuses
    result.numbers |= {
        "rounds": rounds,
        "minted between and alive": between,
        "minted between and ended": rounds - between,
    }
    return result


def weigh(count: int) -> Result:
    """So many live revocations: memory and start time of a worker, and Validate against an empty view."""
    result, server = Result(), Server()
    with ExitStack() as lifetimes:
        lifetimes.callback(server.close)
        empty, full = (_weighed(lifetimes, server, revocations) for revocations in (0, count))
        peers = (empty[0], full[0])
        memory = [million.memory(peer) for peer in peers]
        starting = [round(million.processor_seconds(peer), 2) for peer in peers]
        costs = {
            "new": million.validation_seconds(peers, rounds=8, calls=1_000, repeated=False),
            "repeated": million.validation_seconds(peers, rounds=8, calls=4_000, repeated=True),
        }
        after = [million.memory(peer) for peer in peers]
        verdicts = million.verifying_seconds([0, count], rounds=20)
        looking = million.verifying_seconds([0, count], rounds=20, learning=True)
    ratios = {tokens: each[1] / each[0] for tokens, each in costs.items()}
    held = memory[1]["now"] - memory[0]["now"]
    result.numbers |= {
        "memory of the revocations, MB": round(held, 1),
        "memory of the whole worker, MB": memory[1]["now"],
        "most that it ever had, MB": memory[1]["most"],
        "memory of an empty worker, MB": memory[0]["now"],
        "memory of both after the validations, MB": [each["now"] for each in after],
        "ready after s": round(full[1], 2),
        "an empty one after s": round(empty[1], 2),
        "processor time until then, s": starting,
        "validate, us of processor time": {of: [round(cost * 1e6, 1) for cost in each] for of, each in costs.items()},
        "validate ratio": {of: round(ratio, 3) for of, ratio in ratios.items()},
        "the verdict in it, us": [round(cost * 1e6, 2) for cost in verdicts],
        "the verdict after a change, us": [round(cost * 1e6, 2) for cost in looking],
    }
    bounds = [
        ("MB of memory for a worker with all of them", after[1]["now"], MOST_MEGABYTES),
        ("s to start", full[1], MOST_START_SECONDS),
        *((f"times the price of an empty view for {of} tokens", ratio, MOST_RATIO) for of, ratio in ratios.items()),
    ]
    result.faults += [f"{value:.2f} {what}, and {most} are the most" for what, value, most in bounds if value > most]
    return result


PARTS: Mapping[str, Part] = {
    "follow": Part(5_000, "revocations of each kind", follow),
    "interleave": Part(1_000, "interleavings", interleave),
    "million": Part(1_000_000, "revocations", weigh),
}


def _watch_all(pair: Pair, count: int, result: Result, how: str) -> None:
    orders = Orders([peer.process.target for peer in pair.peers], pair.peers[0].process.credential)
    with half_loaded(orders) as load:
        for kind in TARGETS:
            _note(result, f"{kind}{how}", revoke_and_watch(pair.peers, kind, count))
        _note(result, f"disabled account{how}", disable_and_watch(pair.peers, max(2, count // 50)))
    result.numbers[f"load{how}"] = load
    if load.get("failures"):
        result.faults.append(f"the load had failures{how}: {load['failures']}")


def _note(result: Result, name: str, seen: Seen) -> None:
    result.numbers[name] = seen.numbers()
    result.faults += [f"{name}: {fault}" for fault in seen.faults]


def _cut_the_store(pair: Pair, server: Server, result: Result) -> None:
    """Without its store each server is STALE after the bound, and not before; with it, it is back by itself."""
    token = pair.peers[0].issue("sara").token
    for peer in pair.peers:
        peer.status(token)
    cut = time.monotonic()
    server.stop()
    stale = [_until(peer, token, "STALE", STALENESS_SECONDS + _RECOVERY_SECONDS) - cut for peer in pair.peers]
    server.start()
    back = time.monotonic()
    recovered = [_until(peer, token, "ACTIVE", _RECOVERY_SECONDS) - back for peer in pair.peers]
    result.numbers |= {
        "store cut: stale after s": [round(seconds, 2) for seconds in stale],
        "store back: answers after s": [round(seconds, 2) for seconds in recovered],
    }
    # What was read a moment before the cut is a poll old, and stopping the database takes its time too.
    if not all(STALENESS_SECONDS - 0.5 <= seconds <= STALENESS_SECONDS + 2 for seconds in stale):
        result.faults.append(f"stale after {stale} s, and {STALENESS_SECONDS} is the bound")


def _until(peer: Peer, token: str, wanted: str, most: float) -> float:
    """When a server says that of a token, or refuses to answer so; raises ``RuntimeError`` when it does not."""
    ends = time.monotonic() + most
    said = ""
    while time.monotonic() < ends:
        said = _said(peer, token)
        if said == wanted:
            return time.monotonic()
    raise RuntimeError(f"{said} instead of {wanted} after {most:.0f} s")


def _said(peer: Peer, token: str) -> str:
    try:
        return peer.status(token)
    except grpc.RpcError as refused:
        return reason_of(refused)


def _weighed(lifetimes: ExitStack, server: Server, revocations: int) -> tuple[Peer, float]:
    """A worker on a store with so many revocations, and its start time; its store and app were made before."""
    state_dir = Path(lifetimes.enter_context(tempfile.TemporaryDirectory(prefix="authsvc-verify-")))
    name = lifetimes.enter_context(server.migrated())
    with million.worker(state_dir, server.url(name)):
        pass
    if revocations:
        million.fill(server, name, revocations)
    return lifetimes.enter_context(million.worker(state_dir, server.url(name)))


@contextmanager
def _stage(*, notifications: bool = True) -> Iterator[tuple[Pair, Server]]:
    """Two servers on one PostgreSQL, where wanted over a network that loses what the database tells unasked."""
    server = Server()
    closing: list[Callable[[], None]] = [server.close]
    try:
        with server.migrated() as name, tempfile.TemporaryDirectory(prefix="authsvc-verify-") as state_dir:
            store = server.url(name)
            if not notifications:
                network = Network(server.socket, notifications=False)
                closing.insert(0, network.close)
                store = f"postgresql://postgres@127.0.0.1:{network.port}/{name}?sslmode=disable&gssencmode=disable"
            with serving(Path(state_dir), store) as pair:
                yield pair, server
    finally:
        for close in closing:
            close()
