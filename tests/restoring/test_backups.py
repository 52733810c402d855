"""Backups of the embedded store: whole, of one instant, for their owner alone, and never in another's place."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from authsvc.clock import system_clock, system_randomness
from authsvc.model import Session
from authsvc.storage import back_up, restore
from authsvc.storage.base import TrustState
from authsvc.storage.errors import DamagedStore, NotAStore, SchemaTooNew, StoreRefused
from authsvc.storage.sqlite.connection import Database, fetch
from tests.storage.crowd import Background
from tests.storage.places import START, SettableClock, SqlitePlace
from tests.storage.records import APP, an_audit, keep_app, keep_session, now_kept, turn
from tests.storage.sqlite.test_files import mode

HOUR = timedelta(hours=1)


@pytest.fixture
def place(sqlite_place: SqlitePlace) -> SqlitePlace:
    """A file that is not there yet."""
    return sqlite_place


def anything(_: TrustState) -> None:
    """Whatever is in the copy will do."""


def restored(place: SqlitePlace, copy: Path | None) -> int:
    """Make the copy the store; returns the epoch."""
    done = restore(
        place.url, copy, check=anything, progress=lambda _: None, clock=SettableClock(), randomness=system_randomness
    )
    return done.epoch


def change(path: Path, statement: str) -> None:
    """Run a statement on a database."""
    connection = Database(path, timedelta(seconds=5)).connect()
    fetch(connection, statement)
    connection.close()


def test_a_backup_holds_what_was_committed(place: SqlitePlace, clock: SettableClock, tmp_path: Path) -> None:
    """Everything up to now, while the store is open; one file, mode 0600, and what comes later is not in it."""
    store = place.open(clock=clock)
    kept = keep_session(store)
    done = back_up(place.url, tmp_path / "copy")
    turn(store, kept)
    assert (mode(tmp_path / "copy"), done.size) == (0o600, (tmp_path / "copy").stat().st_size)
    assert (done.known.epoch, done.known.revision) == (1, store.trust_state().revision)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "state"]
    store.close()
    assert restored(place, tmp_path / "copy") == 2
    assert now_kept(place.open(clock=clock), kept).generation == 0


def test_it_is_of_one_instant(place: SqlitePlace, clock: SettableClock, tmp_path: Path) -> None:
    """Beside writers it is whole and of one moment: of two sessions that turn one after the other none is ahead."""
    store = place.open(clock=clock)
    pair = [keep_session(store), keep_session(store)]

    def turn_both() -> None:
        for number, session in enumerate(pair):
            turned = turn(store, session)
            assert turned is not None
            pair[number] = turned

    copies, enough = [tmp_path / f"copy-{number}" for number in range(5)], threading.Event()

    def write() -> None:
        while not enough.is_set():
            turn_both()

    writer = Background(write)
    for copy in copies:
        turned = now_kept(store, pair[0]).generation
        while now_kept(store, pair[0]).generation == turned:
            pass  # it writes
        back_up(place.url, copy)
    enough.set()
    assert writer.outcome() is None
    store.close()
    for copy in copies:
        restored(place, copy)
        store = place.open(clock=clock)
        first, second = (now_kept(store, session).generation for session in pair)
        assert first - second in (0, 1)
        store.close()


def test_no_file_is_replaced(place: SqlitePlace, clock: SettableClock, tmp_path: Path) -> None:
    """A name that is taken is refused, and what has it stays."""
    place.open(clock=clock)
    (tmp_path / "copy").write_text("mine")
    with pytest.raises(FileExistsError):
        back_up(place.url, tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "mine"


def test_a_folder_that_is_not_there_is_named(place: SqlitePlace, clock: SettableClock, tmp_path: Path) -> None:
    """The folder, and no file that nobody has heard of; it is not made: a disk may be missing there."""
    place.open(clock=clock)
    with pytest.raises(FileNotFoundError, match="no such folder: make it first") as refused:
        back_up(place.url, tmp_path / "none" / "copy")
    assert refused.value.filename == str(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_backup_that_fails_leaves_no_file(place: SqlitePlace, clock: SettableClock, tmp_path: Path) -> None:
    """A store that is damaged is not backed up as if it were whole."""
    keep_app(place.open(clock=clock))
    place.close()
    with place.path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 4))
    with pytest.raises(DamagedStore):
        back_up(place.url, tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_there_is_nothing_to_back_up(place: SqlitePlace, tmp_path: Path) -> None:
    """Where no store is, none is made."""
    with pytest.raises(NotAStore):
        back_up(place.url, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("act", ["back up", "restore"])
def test_postgresql_has_its_own_tools(act: str, tmp_path: Path) -> None:
    """For a database of PostgreSQL the refusal names them, without asking the server."""
    url = "postgresql://nobody@nowhere.invalid/none"
    acts: dict[str, Callable[[], object]] = {
        "back up": lambda: back_up(url, tmp_path / "copy"),
        "restore": lambda: restore(url, tmp_path / "copy", check=anything, progress=lambda _: None, clock=system_clock),
    }
    with pytest.raises(StoreRefused, match="PostgreSQL's own tools"):
        acts[act]()


class TestWhatIsRefused:
    """Files that do not become the store; it stays as it was."""

    @pytest.fixture
    def session(self, place: SqlitePlace, clock: SettableClock, tmp_path: Path) -> Session:
        """A session in the store; there is a backup without it."""
        store = place.open(clock=clock)
        keep_app(store)
        back_up(place.url, tmp_path / "copy")
        session = keep_session(store)
        store.raise_watermark(APP, None, an_audit())
        place.close()
        return session

    def refused(self, place: SqlitePlace, copy: Path, session: Session) -> StoreRefused:
        with pytest.raises(StoreRefused) as refused:
            restored(place, copy)
        store = place.open(clock=SettableClock())
        assert (store.epoch, now_kept(store, session)) == (1, session)
        return refused.value

    @pytest.mark.parametrize("content", [b"", b"no database, but long enough to be looked at" * 30])
    def test_what_is_no_database(self, place: SqlitePlace, session: Session, tmp_path: Path, content: bytes) -> None:
        """An empty file, and one of something else."""
        (tmp_path / "other").write_bytes(content)
        assert isinstance(self.refused(place, tmp_path / "other", session), NotAStore)

    @pytest.mark.parametrize("table", ["migrations (name TEXT)", "people (name TEXT)"])
    def test_a_database_of_something_else(
        self, place: SqlitePlace, session: Session, tmp_path: Path, table: str
    ) -> None:
        """Also where it has a table with a name of ours."""
        (tmp_path / "other").touch()
        change(tmp_path / "other", f"CREATE TABLE {table}")
        assert isinstance(self.refused(place, tmp_path / "other", session), NotAStore)

    def test_a_newer_store(self, place: SqlitePlace, session: Session, tmp_path: Path) -> None:
        """One that a newer program migrated."""
        change(tmp_path / "copy", "INSERT INTO migrations VALUES (9999, 'later', 'aa', 0)")
        assert isinstance(self.refused(place, tmp_path / "copy", session), SchemaTooNew)

    @pytest.mark.parametrize("cut", [True, False])
    def test_a_damaged_one(self, place: SqlitePlace, session: Session, tmp_path: Path, cut: bool) -> None:
        """Cut short, or with pages overwritten."""
        content = (tmp_path / "copy").read_bytes()
        half = len(content) // 2 // 4096 * 4096
        rest = b"" if cut else b"\x00" * 8192 + content[half + 8192 :]
        (tmp_path / "copy").write_bytes(content[:half] + rest)
        assert isinstance(self.refused(place, tmp_path / "copy", session), DamagedStore)

    def test_the_store_itself(self, place: SqlitePlace, session: Session) -> None:
        """Named as the file, by whatever way."""
        assert "leave FILE out" in str(self.refused(place, place.path.parent / "." / place.path.name, session))

    def test_a_file_that_is_not_there(self, place: SqlitePlace, session: Session, tmp_path: Path) -> None:
        """And the store stays as it was."""
        with pytest.raises(FileNotFoundError):
            restored(place, tmp_path / "missing")
        assert now_kept(place.open(clock=SettableClock()), session) == session

    def test_the_backup_itself_would_do(self, place: SqlitePlace, session: Session, tmp_path: Path) -> None:
        """The control of all these: as it was made, it becomes the store, and stays as it is."""
        before = (tmp_path / "copy").read_bytes()
        assert restored(place, tmp_path / "copy") == 2
        assert place.open(clock=SettableClock()).session_state(session.id) is None
        assert (tmp_path / "copy").read_bytes() == before


def test_moments_and_revisions(place: SqlitePlace, tmp_path: Path) -> None:
    """The revision is past the present in microseconds, and past what is known where a clock was wrong."""
    clock = SettableClock()
    keep_app(place.open(clock=clock))
    place.close()
    reached = []
    for later in (HOUR, timedelta(0), -1000 * HOUR):
        clock.advance(later)
        done = restore(
            place.url, None, check=anything, progress=lambda _: None, clock=clock, randomness=system_randomness
        )
        reached.append(done.revision)
    assert reached == sorted(reached)
    assert reached[0] > (START + HOUR).timestamp() * 1e6
    assert reached[2] - reached[1] >= 2**44
