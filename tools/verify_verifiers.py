"""The long proofs of verifiers: they say what the service says, soon, and say so when they cannot know."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import cycle
from pathlib import Path

from authsvc.client import AuthClient
from authsvc.model import TokenStatus
from authsvc.v1 import auth_pb2 as pb
from tests.client.agreeing import table
from tests.client.agreeing.generated import live_through
from tests.client.agreeing.stage import KINDS, Case, Stage, stage
from tests.client.fleet import Member, all_see, fleet
from tests.races.server_process import ServerProcess
from tools.proofs import Part, Result, within_limit

LIVES = 10
PROCESSES = 20
MAX_STALENESS = timedelta(seconds=10)
VISIBLE_SECONDS, RECOVERED_SECONDS = 1.0, 5.0
_STALE_SLACK = 2.0  # of looking, on a machine that is busy with all of them
_HEARD_WITHIN = 5.0  # a stream says something at least as often: so old may be what is known when it ends
_EARLY_SLACK = 1.0  # of saying and hearing it


def agree(count: int) -> Result:
    """So many generated tokens and questions, in ten lives with changes in between, answered by both.

    The verifiers of one life are those that wait, of the next those that await.
    """
    result, seen = Result(), dict[str, int]()
    for seed, (kind, hold) in zip(range(LIVES), cycle(KINDS.items()), strict=False):
        with tempfile.TemporaryDirectory(prefix="authsvc-verify-") as folder, stage(Path(folder), hold) as playing:
            found = live_through(playing, -(-count // LIVES), seed)
            result.faults += [f"life {seed}, {kind}: {fault}" for fault in found]
            for name, times in playing.seen.items():
                seen[name] = seen.get(name, 0) + times
            if seed < len(KINDS) and not _control_differs(playing):
                result.faults.append(f"the control, {kind}, a verifier that had ended before a revocation, agreed")
    missing = {status.value for status in TokenStatus} - seen.keys()
    if missing and count >= 10_000:
        result.faults.append(f"never met: {', '.join(sorted(missing))}")
    result.numbers |= dict(sorted(seen.items()))
    return result


def _control_differs(playing: Stage) -> bool:
    """Whether a verifier that follows no more is found out."""
    (token, *_) = table.issued(playing, "un")
    case = Case("un", token, {})
    if playing.disagreements([case]):
        return False
    playing.verifiers["un"].verify(token)  # remembered, so that the service need not be asked
    playing.verifiers["un"].close()
    table.revoke(user_id="sara")(playing, "un")
    return bool(playing.disagreements([case], seconds=0))


def verifiers(count: int) -> Result:
    """So many revocations, seen by twenty processes; the service stopped, and back on the same port."""
    result = Result()
    with _served() as process, _clients(process) as (client, members):
        all_see(members, "ACTIVE", _token(client, "first"))
        _revoke(client, members, count, result)
        _stop_and_start(client, members, process, result)
    return result


def _revoke(client: AuthClient, members: list[Member], count: int, result: Result) -> None:
    took = list[float]()
    for number in within_limit(count, result):
        user = f"user-{number}"
        token = _token(client, user)
        all_see(members, "ACTIVE", token)
        began = list[float]()

        def revoke(user: str = user, began: list[float] = began) -> None:
            began.append(time.monotonic())
            client.revoke_tokens(pb.RevokeTokensRequest(api_key="dev", user_id=user))

        took += [moment - began[0] for moment in all_see(members, "REVOKED", token, revoke)]
    took.sort()
    middle, late = took[len(took) // 2], took[min(len(took) - 1, int(len(took) * 0.999))]
    result.numbers |= {
        "looks": len(took),
        "seen after ms, p50": round(middle * 1e3, 1),
        "seen after ms, p99.9": round(late * 1e3, 1),
        "seen after ms, latest": round(took[-1] * 1e3, 1),
    }
    if late > VISIBLE_SECONDS:
        result.faults.append(f"one in a thousand saw a revocation after {late:.2f} s")


def _stop_and_start(client: AuthClient, members: list[Member], process: ServerProcess, result: Result) -> None:
    token = _token(client, "last")
    all_see(members, "ACTIVE", token)
    stopped = time.monotonic()
    process.kill()
    stale = [moment - stopped for moment in all_see(members, "STALE", token)]
    result.faults += stale_faults(stale)
    process.start()
    back = time.monotonic()
    recovered = [moment - back for moment in all_see(members, "ACTIVE", token)]
    if max(recovered) > RECOVERED_SECONDS:
        result.faults.append(f"a verifier was back {max(recovered):.1f} s after the service")
    result.numbers |= {
        "STALE after s": [round(min(stale), 2), round(max(stale), 2)],
        "back after s": [round(min(recovered), 2), round(max(recovered), 2)],
    }


def stale_faults(stale: Sequence[float]) -> list[str]:
    """What is wrong with when verifiers said STALE, in seconds after the service was gone: neither late nor early.

    What is known counts for the whole of its time, though the stream has ended: a restart of the service is no outage.
    """
    faults, bound = list[str](), MAX_STALENESS.total_seconds()
    if max(stale) > bound + _STALE_SLACK:
        faults.append(f"a verifier still answered {max(stale):.1f} s after the service was gone")
    if min(stale) < bound - _HEARD_WITHIN - _EARLY_SLACK:
        faults.append(f"a verifier answered no more {min(stale):.1f} s after the service was gone")
    return faults


def _token(client: AuthClient, user: str) -> str:
    return client.issue_token(pb.IssueTokenRequest(api_key="dev", user=pb.User(id=user))).token


@contextmanager
def _served() -> Iterator[ServerProcess]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="authsvc-verify-") as folder:
        process = ServerProcess(Path(folder), environ={"AUTHSVC_LISTEN": f"127.0.0.1:{port}"})
        process.start()
        try:
            yield process
        finally:
            process.stop()


@contextmanager
def _clients(process: ServerProcess) -> Iterator[tuple[AuthClient, list[Member]]]:
    parts = (process.target, process.credential)
    with AuthClient(*parts) as client, fleet(PROCESSES, *parts, MAX_STALENESS) as members:
        yield client, members


PARTS: Mapping[str, Part] = {
    "agree": Part(10_000, "answers", agree),
    "verifiers": Part(200, "revocations", verifiers),
}
