"""Streams whose bodies never come, kept open from many connections, and a caller who minds its own business meanwhile.

``python -m tests.races.headers_only`` is the attacker, in a process of its own so that its work does not slow down the
caller that is measured. It reads what to do as JSON from standard input, says when it holds its streams, and prints at
the end what became of them.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import IO

import grpc

from authsvc.v1 import auth_pb2, auth_pb2_grpc
from tests.rpc.http2 import Answer, connected

CONNECTIONS, STREAMS = 16, 128
REOPENED_WITHIN = 5.0
"""Seconds in which a connection opens again what the server ended: as long as a server may wait for a body at most.

The attack is to hold streams; how many calls a second can be refused is another question.
"""

_BOUND = 30.0
_STEP = 0.2
_METHOD = "/authsvc.v1.AuthService/ValidateToken"


@dataclass
class Measured:
    """What a caller met: latencies of the calls that succeeded, in seconds, and the reasons of those that did not."""

    latencies: list[float] = field(default_factory=list, repr=False)
    failures: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Measured) -> Measured:
        return Measured(self.latencies + other.latencies, self.failures + other.failures)

    @property
    def success(self) -> float:
        """The part of all calls that succeeded."""
        return len(self.latencies) / (len(self.latencies) + self.failures.total())

    def milliseconds(self, quantile: float) -> float:
        """A quantile of the latencies."""
        ordered = sorted(self.latencies)
        return round(1000 * ordered[min(int(quantile * len(ordered)), len(ordered) - 1)], 2)

    def numbers(self) -> dict[str, object]:
        """For people and for the record."""
        return {
            "calls": len(self.latencies) + self.failures.total(),
            "success": round(self.success, 5),
            "p50_ms": self.milliseconds(0.5),
            "p99_ms": self.milliseconds(0.99),
            "failures": dict(self.failures),
        }


@dataclass(frozen=True)
class Orders:
    """What the attacker is to do."""

    target: str
    credential: str
    seconds: float
    connections: int = CONNECTIONS
    streams: int = STREAMS


def call_steadily(target: str, credential: str, seconds: float) -> Measured:
    """Issue a token, then check it again and again, one call after the other, and measure each."""
    metadata, measured = (("authorization", f"Bearer {credential}"),), Measured()
    with grpc.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub = auth_pb2_grpc.AuthServiceStub(channel)
        issue = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id="sara"))
        token = stub.IssueToken(issue, metadata=metadata, timeout=10).token
        request = auth_pb2.ValidateTokenRequest(api_key="dev", token=token)
        ends = time.monotonic() + seconds
        while (begun := time.monotonic()) < ends:
            try:
                answer = stub.ValidateToken(request, metadata=metadata, timeout=5)
            except grpc.RpcError as refused:
                measured.failures[(refused.details() or "").partition(":")[0]] += 1
                continue
            if answer.active:
                measured.latencies.append(time.monotonic() - begun)
            else:
                measured.failures[auth_pb2.TokenStatus.Name(answer.status)] += 1
    return measured


@contextmanager
def attacked(orders: Orders) -> Iterator[Counter[str]]:
    """While this lasts the streams are held (for the seconds ordered); what became of them is known at the end."""
    fates: Counter[str] = Counter()
    command = [sys.executable, "-m", "tests.races.headers_only"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as attacker:
        assert attacker.stdin is not None
        assert attacker.stdout is not None
        attacker.stdin.write(json.dumps(asdict(orders)))
        attacker.stdin.close()
        assert attacker.stdout.readline() == "holding\n", "the attacker did not begin"
        yield fates
        fates.update(json.loads(attacker.stdout.readline()))


def attack(orders: Orders, said: IO[str]) -> None:
    """Hold the streams from one thread a connection, and say so once all are open."""
    fates: list[Counter[str]] = [Counter() for _ in range(orders.connections)]
    all_hold = threading.Barrier(orders.connections, lambda: print("holding", file=said, flush=True))
    threads = [threading.Thread(target=_hold, args=(orders, all_hold, one)) for one in fates]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(sum(fates, Counter())), file=said, flush=True)


def _hold(orders: Orders, all_hold: threading.Barrier, fates: Counter[str]) -> None:
    metadata, pause = [("authorization", f"Bearer {orders.credential}")], threading.Event()
    a_step = math.ceil(orders.streams * _STEP / REOPENED_WITHIN)
    with connected(orders.target) as connection:
        streams = [connection.call(_METHOD, metadata) for _ in range(orders.streams)]
        all_hold.wait(_BOUND)
        ends, ended = time.monotonic() + orders.seconds, connection.ended()
        while time.monotonic() < ends:
            pause.wait(_STEP)
            ended = connection.ended()
            missing = orders.streams - (len(streams) - len(ended))
            streams += [connection.call(_METHOD, metadata) for _ in range(min(missing, a_step))]
    fates.update(map(_fate, ended))
    fates["opened"] = len(streams)


def _fate(answer: Answer) -> str:
    if answer.reason:
        return answer.reason
    return f"reset {answer.reset}" if answer.reset is not None else f"status {answer.status}"


if __name__ == "__main__":
    attack(Orders(**json.load(sys.stdin)), sys.stdout)
