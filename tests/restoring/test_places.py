"""What lies in the place of an embedded store and is not that store: it does not start, and one command mends it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from authsvc.clock import system_randomness
from authsvc.storage import back_up, restore
from authsvc.storage.base import Store
from authsvc.storage.errors import NotTheStore
from authsvc.storage.sqlite.seat import read_seat
from tests.restoring.test_backups import anything, change, restored
from tests.storage.places import SettableClock, SqlitePlace
from tests.storage.records import APP, an_audit, keep_app, keep_session

STEPS = ["copying", "checking", "revoking", "taking the place", "replacing", "done"]


KILLED = """
import os, signal, sys
from pathlib import Path
from authsvc.clock import system_clock
from authsvc.storage import restore
url, copy, last = sys.argv[1:]
def progress(step):
    if step == last:
        os.kill(os.getpid(), signal.SIGKILL)
restore(url, Path(copy), check=lambda state: None, progress=progress, clock=system_clock)
"""


class Interrupted(BaseException):
    """As a process ends in the middle of something."""


@pytest.fixture
def place(sqlite_place: SqlitePlace) -> SqlitePlace:
    """A file that is not there yet."""
    return sqlite_place


def beside(place: SqlitePlace) -> Path:
    return place.path.with_name("authsvc.db.epoch")


def revoked_since(place: SqlitePlace, clock: SettableClock) -> Store:
    """Open the store and revoke something in it."""
    store = place.open(clock=clock)
    store.raise_watermark(APP, None, an_audit())
    return store


def put_older(place: SqlitePlace, clock: SettableClock, kept: Path) -> None:
    """A plain copy of the stopped store, put back after something was revoked."""
    shutil.copyfile(place.path, kept)
    revoked_since(place, clock).close()
    shutil.copyfile(kept, place.path)


def put_backup(place: SqlitePlace, clock: SettableClock, kept: Path) -> None:
    """A backup, put back at once."""
    back_up(place.url, kept)
    shutil.copyfile(kept, place.path)


def put_before_restore(place: SqlitePlace, clock: SettableClock, kept: Path) -> None:
    """A plain copy of the epoch before."""
    shutil.copyfile(place.path, kept)
    restored(place, None)
    shutil.copyfile(kept, place.path)


def put_other(place: SqlitePlace, clock: SettableClock, kept: Path) -> None:
    """Another store."""
    other = SqlitePlace(kept)
    keep_app(other.open(clock=clock))
    other.close()
    shutil.copyfile(other.path, place.path)


def lose_file(place: SqlitePlace, clock: SettableClock, kept: Path) -> None:
    """The database without what was beside it."""
    beside(place).unlink()


def spoil_file(place: SqlitePlace, clock: SettableClock, kept: Path) -> None:
    """Something else beside it."""
    beside(place).write_text("epoch 1")


CHANGES = [put_older, put_backup, put_before_restore, put_other, lose_file, spoil_file]


@pytest.mark.parametrize("act", CHANGES)
def test_what_is_not_the_store_is_refused(
    place: SqlitePlace, clock: SettableClock, tmp_path: Path, act: Callable[..., None]
) -> None:
    """However it came there; again and again; and ``authsvc restore`` takes it, in an epoch of its own."""
    keep_app(place.open(clock=clock))
    place.close()
    act(place, clock, tmp_path / "kept")
    for _ in range(2):
        with pytest.raises(NotTheStore, match="authsvc restore"):
            place.open(clock=clock)
    epoch = restored(place, None)
    assert place.open(clock=clock).epoch == epoch >= 2


def test_the_store_itself_starts(place: SqlitePlace, clock: SettableClock) -> None:
    """The control: opened and closed, changed and killed, it is the store."""
    keep_app(place.open(clock=clock))
    for _ in range(3):
        place.close()
        revoked_since(place, clock)
        place.open(clock=clock)  # beside the one that is open
    seat = read_seat(place.path)
    assert seat is not None
    assert seat.epoch == 1


def test_a_store_that_is_gone_is_not_begun_anew(place: SqlitePlace, clock: SettableClock, tmp_path: Path) -> None:
    """Where a store had its place none is made, unless its file is removed too; a backup becomes it."""
    keep_app(place.open(clock=clock))
    place.close()
    back_up(place.url, tmp_path / "copy")
    place.path.unlink()
    with pytest.raises(NotTheStore, match="authsvc restore FILE"):
        place.open(clock=clock)
    assert restored(place, tmp_path / "copy") == 2
    assert place.open(clock=clock).epoch == 2


def test_a_store_moves_with_what_is_beside_it(place: SqlitePlace, clock: SettableClock, tmp_path: Path) -> None:
    """Closed, both files may be moved to another place."""
    keep_app(place.open(clock=clock))
    place.close()
    moved = SqlitePlace(tmp_path / "moved")
    moved.path.parent.mkdir(parents=True)
    for path in (place.path, beside(place)):
        shutil.copyfile(path, moved.path.with_name(path.name))
    assert moved.open(clock=clock).epoch == 1
    moved.close()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("from_file", [True, False])
def test_interrupted_at_each_step(
    place: SqlitePlace, clock: SettableClock, tmp_path: Path, step: str, from_file: bool
) -> None:
    """What is there is the store of before, or one that does not start, or the new one; the command again ends it."""
    keep_session(place.open(clock=clock))
    copy = tmp_path / "copy" if from_file else None
    if copy is not None:
        back_up(place.url, copy)
    place.close()
    reached = []

    def progress(now: str) -> None:
        reached.append(now)
        if now == step:
            raise Interrupted

    with suppress(Interrupted):
        restore(place.url, copy, check=anything, progress=progress, clock=clock, randomness=system_randomness)
    assert (reached[-1] == step) or not from_file
    with suppress(NotTheStore):
        store = place.open(clock=clock)
        marks = len(store.trust_state().watermarks)
        assert (store.epoch, marks) in ((1, 0), (2, 1))  # all of it, or nothing
        store.close()
    epoch = restored(place, copy)
    store = place.open(clock=clock)
    assert (store.epoch, len(store.trust_state().watermarks)) == (epoch, 1)
    assert {path.name for path in place.path.parent.iterdir()} == {
        "authsvc.db",
        "authsvc.db-shm",
        "authsvc.db-wal",
        "authsvc.db.epoch",
        "authsvc.db.lock",
    }


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_each_step(place: SqlitePlace, clock: SettableClock, tmp_path: Path, step: str) -> None:
    """The same, for a process that could tidy nothing up; what it left aside is gone after the next one."""
    keep_session(place.open(clock=clock))
    back_up(place.url, tmp_path / "copy")
    place.close()
    command = [sys.executable, "-c", KILLED, place.url, str(tmp_path / "copy"), step]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with suppress(NotTheStore):
        store = place.open(clock=clock)
        assert (store.epoch, len(store.trust_state().watermarks)) in ((1, 0), (2, 1))
        store.close()
    epoch = restored(place, tmp_path / "copy")
    store = place.open(clock=clock)
    assert (store.epoch, len(store.trust_state().watermarks)) == (epoch, 1)
    assert not list(place.path.parent.glob("*.restoring*"))


def test_the_log_of_a_killed_server_is_not_taken_for_the_copys(
    place: SqlitePlace, clock: SettableClock, tmp_path: Path
) -> None:
    """What a process left in its log, which nobody moved to the database, is not in the store after a restore."""
    store = place.open(clock=clock)
    keep_app(store)
    back_up(place.url, tmp_path / "copy")
    left = keep_session(store)
    killed = tmp_path / "killed"
    shutil.copytree(place.path.parent, killed)  # as a kill leaves it, with its log
    place.close()
    shutil.rmtree(place.path.parent)
    shutil.copytree(killed, place.path.parent)
    assert place.path.with_name("authsvc.db-wal").stat().st_size > 0
    restored(place, tmp_path / "copy")
    assert place.open(clock=clock).session_state(left.id) is None


def test_epochs_end(place: SqlitePlace, clock: SettableClock) -> None:
    """After the last of all epochs there is none, and the refusal says so."""
    keep_app(place.open(clock=clock))
    place.close()
    change(place.path, "UPDATE meta SET epoch = 65535")
    with pytest.raises(Exception, match="no further epoch"):
        restored(place, None)
