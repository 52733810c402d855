"""Verifiers in processes of their own, as many services have them: each told what to look at, and says when it saw it.

Moments are those of the machine's monotonic clock, which its processes share.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import IO

from authsvc.client import AuthClient, LogOptions, TokenNotActive, TokenVerifier, TrustStale

_LOOK_EVERY = 0.002
_GIVE_UP = 60.0


class Member:
    """One process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tell(self, state: str, token: str) -> None:
        """Look at the token until it is in that state."""
        print(state, token, file=_open(self._process.stdin), flush=True)

    def hear(self) -> float:
        """When it was first seen to be so, in seconds; raises ``TimeoutError`` where it never was."""
        line = _open(self._process.stdout).readline()
        if not line.strip() or line.startswith("never"):
            raise TimeoutError(line or "the process has ended")
        return int(line) / 1e9

    def end(self) -> None:
        """Let it go."""
        _open(self._process.stdin).close()
        self._process.wait(30)
        _open(self._process.stdout).close()


@contextmanager
def fleet(size: int, target: str, credential: str, max_staleness: timedelta) -> Iterator[list[Member]]:
    """So many verifiers of the app ``dev``, that follow already."""
    command = [sys.executable, "-m", "tests.client.fleet", target, credential, str(max_staleness.total_seconds())]
    with ExitStack() as lifetimes:
        members = []
        for _ in range(size):
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            members.append(Member(process))
            lifetimes.callback(members[-1].end)
        yield members


def all_see(members: list[Member], state: str, token: str, then: Callable[[], object] = lambda: None) -> list[float]:
    """Let all look for a state, do something, and hear when each of them saw it."""
    for member in members:
        member.tell(state, token)
    then()
    return [member.hear() for member in members]


def main(target: str, credential: str, staleness: str) -> None:
    """What runs in each process."""
    bound = timedelta(seconds=float(staleness))
    quiet: LogOptions = {"default": {"level": "error"}}
    with (
        AuthClient(target, credential, log_options=quiet) as client,
        TokenVerifier(client, "dev", max_staleness=bound) as verifier,
    ):
        for line in sys.stdin:
            state, token = line.split()
            seen = _look(verifier, state, token)
            sys.stdout.write(f"{seen or 'never'}\n")
            sys.stdout.flush()


def _look(verifier: TokenVerifier, state: str, token: str) -> int | None:
    until = time.monotonic() + _GIVE_UP
    while time.monotonic() < until:
        if _state(verifier, token) == state:
            return time.monotonic_ns()
        time.sleep(_LOOK_EVERY)
    return None


def _state(verifier: TokenVerifier, token: str) -> str:
    try:
        verifier.verify(token)
    except TokenNotActive as refused:
        return refused.status
    except TrustStale:
        return "STALE"
    return "ACTIVE"


def _open(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


if __name__ == "__main__":
    main(*sys.argv[1:])
