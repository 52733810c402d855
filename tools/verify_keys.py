"""The long proof of signing keys: rotated and revoked again and again under load, on two processes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from tests.following.pair import Pair, serving
from tests.races.rotating import Load, Story, faults_of, rotate, worker_of
from tests.storage.postgres.server import Server
from tools.proofs import Part, Result, within_limit

BOUND_SECONDS = 1.0
"""From when on no worker may accept a token of a revoked key."""

_REVOKED_EVERY = 5
_JUDGED_EVERY = 25
_ASKED_AFTERWARDS = 5_000


def rotations(count: int) -> Result:
    """So many rotations under load, on two processes and one PostgreSQL, every fifth key being revoked."""
    result, story = Result(), Story()
    with (
        tempfile.TemporaryDirectory(prefix="authsvc-verify-") as state_dir,
        closing(Server()) as server,
        server.migrated() as database,
        serving(Path(state_dir), server.url(database)) as pair,
    ):
        _rotate(pair, count, result, story)
    result.faults += faults_of(story)
    result.numbers |= {
        "rotations": story.rotations,
        "keys revoked": len(story.revocations),
        "tokens issued": story.issued,
        "validated": dict(story.answers),
        "a revoked key was last accepted after s": round(story.longest_s, 3),
    }
    return result


def _rotate(pair: Pair, count: int, result: Result, story: Story) -> None:
    workers = [worker_of(peer.channel, peer.process.credential) for peer in pair.peers]
    with Load(workers, story, bound=BOUND_SECONDS) as load:
        for number in within_limit(count, result):
            rotate(workers if number % 2 else workers[::-1], story, revoke=number % _REVOKED_EVERY == 0)
            if number % _JUDGED_EVERY == 0:
                load.judge()
        load.wait_for_answers(_ASKED_AFTERWARDS)


PARTS: Mapping[str, Part] = {"rotations": Part(1_000, "rotations", rotations)}
