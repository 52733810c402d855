"""A rotation of the KEK in a process of its own, which is killed at a step, or in what comes after the last one.

As a program: the rotation in the environment of a command, which tells each step that is done.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from authsvc.app.rotating import rotate_kek
from authsvc.signing.sealing import Kek
from authsvc.storage.errors import StoreInUse
from tests.cli.conftest import run_command
from tests.rotations.scene import Place

T = TypeVar("T")

_PATIENCE = 30.0


class Rotation:
    """Running from its making on."""

    def __init__(self, place: Place, old: Kek, new: Kek) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTHSVC_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.rotations.killing", str(place.file(new))],
            env={**kept, **place.environ(old)},
            stdout=subprocess.PIPE,
            text=True,
        )

    def reach(self, step: int) -> None:
        """Return as soon as it tells that so many records are done; raises ``RuntimeError`` when it never does."""
        assert self._process.stdout is not None
        too_long = threading.Timer(_PATIENCE, self._process.kill)
        too_long.start()
        reached = any(line == f"{step}\n" for line in self._process.stdout)
        too_long.cancel()
        if not reached:
            raise RuntimeError(f"the rotation ended with {self._process.wait()} before step {step}")

    def kill(self) -> bool:
        """End it by SIGKILL; whether it was still there."""
        self._process.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()
        return self._process.wait(_PATIENCE) != 0


@dataclass(frozen=True)
class Point:
    """Where a rotation was killed: so many steps and seconds after its beginning. ``hit``: before it was done."""

    hit: bool
    faults: list[str]


def kill_and_resume(place: Place, old: Kek, new: Kek, step: int, pause: Callable[[], object]) -> Point:
    """Kill a rotation some time after that step, look at what it leaves, and run the command again."""
    before = place.contents(old)
    rotation = Rotation(place, old, new)
    try:
        rotation.reach(step)
        pause()
    finally:
        hit = rotation.kill()
    return Point(hit, [*_left(place, before, old, new), *resumed(place, before, old, new)])


def _left(place: Place, before: list[bytes], old: Kek, new: Kek) -> list[str]:
    try:
        readable = alone(lambda: place.contents(old, new)) == before
    except ValueError:  # a record that neither opens
        readable = False
    return [] if readable else ["something is not what it was, or opens with neither KEK"]


def resumed(place: Place, before: list[bytes], old: Kek, new: Kek) -> list[str]:
    """Run the command again; what is wrong afterwards."""
    ended = alone(lambda: _command(place, old, new))
    if ended:
        return [f"the command that was run again said: {ended}"]
    faults = [] if place.contents(new) == before else ["afterwards something is not what it was"]
    return [*faults, "afterwards the files show records under the old KEK"] if place.shows(old) else faults


def _command(place: Place, old: Kek, new: Kek) -> str:
    """What the real command complained of; empty: nothing."""
    ended = run_command("kek", "rotate", "--new-kek-file", str(place.file(new)), environ=dict(place.environ(old)))
    if "is in use" in ended.err:
        raise StoreInUse(ended.err)
    return ended.err if ended.code else ""


def alone(work: Callable[[], T]) -> T:
    """Do it once nobody has the store any more: a database server takes a moment to see that its client is dead."""
    ends = time.monotonic() + _PATIENCE
    while True:
        try:
            return work()
        except StoreInUse:
            if time.monotonic() > ends:
                raise
        time.sleep(0.01)


def _tell(done: int, _: int) -> None:
    sys.stdout.write(f"{done}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    rotate_kek(Path(sys.argv[1]), progress=_tell)
