"""What a killed process leaves behind: everything it acknowledged, and nothing half done."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from authsvc.clock import system_clock
from authsvc.model import Session
from authsvc.storage import open_store
from tests.storage.places import SqlitePlace
from tests.storage.records import keep_session, now_kept
from tests.storage.sqlite.acknowledge import ACKNOWLEDGED

CHILD = Path(__file__).with_name("acknowledge.py")
# Killed after that many acknowledgements: at once, early, and well into the work, past checkpoints of the log.
KILLED_AFTER = [1, 2, 3, 8, 21, 55, 144, 377, 987, 2584]
THREADS = 16


def test_nothing_acknowledged_is_lost(place: SqlitePlace) -> None:
    """After kill -9 under writers every acknowledged turn is there, and at most the one in flight beyond it."""
    sessions = _sessions(place)
    reached = [0] * THREADS
    for count in KILLED_AFTER:
        for session, generation in _turn_and_kill(place, sessions, count):
            reached[session] = generation
        store = open_store(place.url, clock=system_clock)
        kept = [now_kept(store, session).generation for session in sessions]
        store.close()
        ahead = [now - acknowledged for now, acknowledged in zip(kept, reached, strict=True)]
        assert set(ahead) <= {0, 1}, f"killed after {count}"
        reached = kept
    assert sum(reached) >= sum(KILLED_AFTER)  # they did work


def _sessions(place: SqlitePlace) -> list[Session]:
    store = open_store(place.url, clock=system_clock)
    now = datetime.now(UTC)
    ends = {"idle_expires_at": now + timedelta(days=1), "absolute_expires_at": now + timedelta(days=1)}
    sessions = [keep_session(store, **ends) for _ in range(THREADS)]
    store.close()
    return sessions


def _turn_and_kill(place: SqlitePlace, sessions: list[Session], count: int) -> list[tuple[int, int]]:
    """All acknowledgements of a process that was killed after ``count`` of them, in order."""
    command = [sys.executable, str(CHILD), place.url, *(session.id.hex() for session in sessions)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        heard = child.stdout.read(count * ACKNOWLEDGED.size)
        child.kill()
        heard += child.stdout.read()
    return list(ACKNOWLEDGED.iter_unpack(heard))
