"""The long proofs of keys: rotated and revoked under load, on two processes; a rotation of the KEK that is killed."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

from tests.following.pair import Pair, serving
from tests.races.rotating import Load, Story, faults_of, rotate, worker_of
from tests.rotations.killing import kill_and_resume
from tests.rotations.scene import NEW, OLD, RECORDS, Place, places
from tests.storage.postgres.server import Server
from tools.proofs import LIMIT_SECONDS, Part, Result, within_limit

BOUND_SECONDS = 1.0
"""From when on no worker may accept a token of a revoked key."""

_REVOKED_EVERY = 5
_JUDGED_EVERY = 25
_ASKED_AFTERWARDS = 5_000

_STEP_SECONDS, _LAST_SECONDS = 0.005, 0.04
"""How long after a step a rotation is killed at most: what a record takes, and what writing the files anew does."""

_MOST_TRIES = 3


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


def killed_rotations(count: int) -> Result:
    """A rotation of the KEK killed at so many points on each backend, and gone on with: nothing is lost, and nothing in
    the files is under the old KEK."""
    result = Result()
    for backend in ("sqlite", "postgres"):
        with (
            tempfile.TemporaryDirectory(prefix="authsvc-verify-") as folder,
            closing(Server()) as server,
            places(backend, Path(folder), server) as place,
        ):
            _kill(place, backend, count, result)
    return result


def _kill(place: Place, backend: str, count: int, result: Result) -> None:
    """Half of the points while records are changed, half after the last of them: there the files are written anew."""
    chance, keks, hits, too_late = random.Random(count), (OLD, NEW), Counter[str](), 0  # noqa: S311 - repeats itself
    for _ in within_limit(_MOST_TRIES * count, result, seconds=LIMIT_SECONDS / 2):
        last = hits.total() % 2 == 1
        step = RECORDS if last else chance.randrange(1, RECORDS)
        seconds = chance.uniform(0, _LAST_SECONDS if last else _STEP_SECONDS)
        point = kill_and_resume(place, *keks, step, partial(time.sleep, seconds))
        result.faults += [f"{backend}, {seconds:.3f} s after step {step}: {fault}" for fault in point.faults]
        keks = keks[::-1]
        hits["after the last record" if last else "among the records"] += point.hit
        too_late += not point.hit
        if result.faults or hits.total() == count:
            break
    if hits.total() < count:
        result.faults.append(f"{backend}: only {hits.total()} of {count} points")
    result.numbers[f"killed on {backend}"] = {**hits, "too late": too_late}


PARTS: Mapping[str, Part] = {
    "rotations": Part(1_000, "rotations", rotations),
    "kill-kek": Part(50, "points on each backend", killed_rotations),
}
