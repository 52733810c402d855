"""A million live revocations in a PostgreSQL store, and what a worker that has them in memory takes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from authsvc.clock import to_microseconds
from authsvc.model import Revision
from authsvc.verify.claims import token_id_of
from authsvc.verify.questions import Questions
from tests.following.pair import DEV, Peer
from tests.races.server_process import ServerProcess
from tests.storage.postgres.server import Server
from tests.verify.workshop import APP, REVISION, START, World, claims, token

_FOR_MONTHS = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint + 90 * 86400000000::bigint"

# A third of each kind, of ids as long as real ones.
_SESSIONS = f"""
INSERT INTO sessions SELECT uuid_send(gen_random_uuid()), '{DEV}', 'user', 'user-' || n, '{{}}', 'classic', 0, 0, 0,
  ''::bytea, 1, 0, {_FOR_MONTHS}, {_FOR_MONTHS}, 1, 'REVOKED', 1, 'test', false, {_FOR_MONTHS}
FROM generate_series(1, %s) AS n"""  # noqa: S608 - constants
_TOKENS = f"""
INSERT INTO revoked_tokens SELECT '{DEV}', substr(md5(n::text) || md5(n::text || 'x'), 1, 27), {_FOR_MONTHS}, 1
FROM generate_series(1, %s) AS n"""  # noqa: S608 - constants
_WATERMARKS = f"""
INSERT INTO watermarks (api_key, user_id, tokens_revision, tokens_revoked_at, sessions_revision, revision, due_at)
SELECT '{DEV}', 'gone-' || n, 1, {_FOR_MONTHS} - 90 * 86400000000::bigint, 1, 1, {_FOR_MONTHS}
FROM generate_series(1, %s) AS n"""  # noqa: S608 - constants


def fill(server: Server, database: str, count: int) -> None:
    """Put so many revocations into the store, behind the back of everybody."""
    with server.connect(database) as connection:
        for statement in (_SESSIONS, _TOKENS, _WATERMARKS):
            connection.execute(statement, (count // 3,))
        connection.execute("ANALYZE")


@contextmanager
def worker(state_dir: Path, store: str) -> Iterator[tuple[Peer, float]]:
    """A server on the store, and how many seconds it took to say SERVING."""
    process = ServerProcess(state_dir, store)
    try:
        seconds = process.start()
        yield Peer(process), seconds
    finally:
        process.kill()


def memory(peer: Peer) -> Mapping[str, float]:
    """Resident memory of a server now and at most, in MB."""
    status = Path(f"/proc/{peer.process.pid}/status").read_text().splitlines()
    sizes = {
        name: int(rest.split()[0]) / 1024 for name, _, rest in (line.partition(":") for line in status) if "kB" in rest
    }
    return {"now": round(sizes["VmRSS"], 1), "most": round(sizes["VmHWM"], 1)}


def validation_seconds(peers: Sequence[Peer], *, rounds: int, calls: int, repeated: bool) -> list[float]:
    """Processor seconds of each server per validation over the wire, of tokens that it has not seen, or of one that it
    was asked about before: the best of alternating rounds."""
    best = [float("inf")] * len(peers)
    for _ in range(rounds):
        for number, peer in enumerate(peers):
            tokens = _repeated(peer, calls) if repeated else [_new_token(peer) for _ in range(calls)]
            began = processor_seconds(peer)
            for text in tokens:
                if peer.status(text) != "ACTIVE":
                    raise RuntimeError("a token that nobody revoked is dead")
            best[number] = min(best[number], (processor_seconds(peer) - began) / calls)
    return best


def _new_token(peer: Peer) -> str:
    return peer.issue(f"user-{secrets.token_hex(6)}").token


def _repeated(peer: Peer, calls: int) -> list[str]:
    """One token, so many times; the server has seen it."""
    text = _new_token(peer)
    peer.status(text)
    return [text] * calls


def verifying_seconds(revocations: Sequence[int], *, rounds: int, learning: bool = False) -> list[float]:
    """Seconds per verdict on a token whose signature is remembered, with so many revocations in a view of our own.

    That is all there is of a validation but for the wire: a look-up that costs more is seen here. ``learning``: before
    each round something is revoked, so that every token has to be looked for again. The best of alternating rounds.
    """
    worlds = [(world, world.verifier()) for world in map(_world, revocations)]
    tokens = [
        token(claims(jti=token_id_of(Revision(REVISION), number.to_bytes(12, "big")), user_id=user, sub=f"user/{user}"))
        for number, user in enumerate(f"user-{number}" for number in range(1_000))
    ]
    best = [float("inf")] * len(worlds)
    for round_number in range(rounds + 1):
        for number, (world, verifier) in enumerate(worlds):
            if learning:
                world.revoke_token(f"{round_number:027}")
            began = time.perf_counter()
            for text in tokens:
                if not verifier.verify(text, api_key=APP, questions=Questions()).active:
                    raise RuntimeError("a token that nobody revoked is dead")
            if round_number:  # the first one verifies the signatures
                best[number] = min(best[number], (time.perf_counter() - began) / len(tokens))
    return best


def _world(count: int) -> World:
    world, until, third = World(), to_microseconds(START) + 90 * 86_400_000_000, count // 3
    world.view.load(
        [(APP, number.to_bytes(16, "big"), until, 1) for number in range(third)],
        [(APP, f"{number:027}", until, 1) for number in range(third)],
        [(APP, f"gone-{number}", 1, until, None, 1, None, 1, None) for number in range(third)],
    )
    return world


def processor_seconds(peer: Peer) -> float:
    """What a server has taken of the processors since it was started."""
    # clock_getcpuclockid(3) of Linux: nanoseconds, where proc(5) has hundredths of a second.
    return time.clock_gettime(~peer.process.pid << 3 | 2)
