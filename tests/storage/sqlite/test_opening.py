"""Opening: together, alone, and to the schema this program knows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from authsvc.clock import system_randomness
from authsvc.storage import apply_missing, find_missing, open_store
from authsvc.storage.errors import MigrationChanged, SchemaTooNew, SchemaTooOld, StoreInUse
from authsvc.storage.migrate import Migration, shipped
from authsvc.storage.sqlite import open_sqlite
from authsvc.storage.sqlite.connection import Database, fetch
from authsvc.storage.sqlite.files import prepare
from authsvc.storage.sqlite.lock import Lock
from authsvc.storage.sqlite.schema import bring_up
from tests.storage.places import START, SettableClock, SqlitePlace
from tests.storage.records import keep_app
from tests.storage.sqlite.disk import Disk

TOGETHER = Path(__file__).with_name("open_together.py")


@pytest.fixture
def four_processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Four processes that open what they are told."""
    command = [sys.executable, str(TOGETHER)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    yield processes
    for process in processes:
        process.communicate(timeout=30)


def test_processes_that_open_a_new_file_together(tmp_path: Path, four_processes: list[subprocess.Popen[str]]) -> None:
    """All that open one new file at the same time succeed, and find the same store."""
    for number in range(10):
        for process in four_processes:
            assert process.stdin is not None
            process.stdin.write(f"sqlite:///{tmp_path}/{number}.db\n")
            process.stdin.flush()
        kept = {process.stdout.readline() for process in four_processes if process.stdout is not None}
        assert len(kept) == 1
        assert kept <= {f"{process.pid}\n" for process in four_processes}


def test_a_refused_switch_of_the_journal_is_tried_again(place: SqlitePlace, clock: SettableClock, disk: Disk) -> None:
    """Two that switch one new file to the write-ahead log can refuse each other: the refused one tries again."""

    def refuse_twice() -> None:  # the engine itself asks a second time within a millisecond, and then gives up
        if disk.failed["lock", "other"] == 2:
            disk.faults.clear()
        raise apsw.exception_for(apsw.SQLITE_BUSY)

    disk.faults["lock", "other"] = refuse_twice
    hasty = timedelta(milliseconds=1)
    store = open_sqlite(
        place.path, clock=clock, randomness=system_randomness, exclusive=False, busy_timeout=hasty, vfs=disk.name
    )
    store.ping()
    store.close()
    assert disk.failed["lock", "other"] == 2


def test_one_holds_the_store_for_itself(place: SqlitePlace, clock: SettableClock) -> None:
    """While an exclusive opener lives another is refused, with a sentence that names the file; later it is let in."""
    first = open_store(place.url, clock=clock, exclusive=True)
    with pytest.raises(StoreInUse, match=f"{place.path} is in use"):
        open_store(place.url, clock=clock, exclusive=True)
    with pytest.raises(StoreInUse, match="works on it alone; wait until that has ended"):
        open_store(place.url, clock=clock)
    keep_app(first)
    first.close()
    second = open_store(place.url, clock=clock, exclusive=True)
    assert len(second.trust_state().apps) == 1
    second.close()


@pytest.mark.parametrize(("first", "second", "allowed"), [(0, 0, True), (0, 1, False), (1, 0, False), (1, 1, False)])
def test_many_may_share_it_or_one_has_it(
    place: SqlitePlace, clock: SettableClock, first: bool, second: bool, allowed: bool
) -> None:
    """Between processes: several that share the store live together, and one that wants it alone waits for all."""
    program = (
        "import authsvc.storage as s, authsvc.clock as c;"
        f"s.open_store({place.url!r}, clock=c.system_clock, exclusive={bool(second)}).close()"
    )
    store = open_store(place.url, clock=clock, exclusive=bool(first))
    beside = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    store.close()
    after = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (beside.returncode == 0, after.returncode) == (allowed, 0)
    assert ("StoreInUse" in beside.stderr) is not allowed


def test_a_refused_opening_gives_the_lock_back(place: SqlitePlace, clock: SettableClock) -> None:
    """When opening fails after the lock was taken, the next one is not held off by it."""
    place.path.parent.mkdir()
    place.path.write_text("not a database" * 1000)
    for _ in range(2):
        with pytest.raises(Exception, match="not a database"):
            open_store(place.url, clock=clock, exclusive=True)


def test_an_empty_file_becomes_the_schema(database: Database) -> None:
    """A new file has every migration of this program on record, with its digest and the store's time."""
    connection = database.connect()
    recorded = fetch(connection, "SELECT number, name, sha256 FROM migrations")
    times = fetch(connection, "SELECT DISTINCT applied_at FROM migrations")
    connection.close()
    assert recorded == [(known.number, known.name, known.sha256) for known in shipped("sqlite")]
    assert times == [((START.timestamp() // 1) * 10**6 + START.microsecond,)]


def test_a_newer_schema_is_refused(place: SqlitePlace, clock: SettableClock, database: Database) -> None:
    """A store that a newer version migrated is refused with both versions, and not changed."""
    known = len(shipped("sqlite"))
    _alter(database, "INSERT INTO migrations VALUES (?, 'later', 'aa', 0)", known + 1)
    before = place.path.read_bytes()
    with pytest.raises(SchemaTooNew, match=f"version {known + 1}, this program knows up to {known}"):
        place.open(clock=clock)
    assert place.path.read_bytes() == before


def test_a_changed_migration_is_refused(place: SqlitePlace, clock: SettableClock, database: Database) -> None:
    """A store whose applied migration has another text than the shipped one is refused with both."""
    _alter(database, "UPDATE migrations SET sha256 = 'cafe' WHERE number = 1")
    with pytest.raises(MigrationChanged, match=r"0001_first \(sha256 cafe\).*0001_first \(sha256 [0-9a-f]{12}\)"):
        place.open(clock=clock)


def test_a_later_migration_is_applied_to_what_is_there(database: Database, clock: SettableClock) -> None:
    """A store that lacks the last migration gets that one alone, and keeps its rows."""
    known = shipped("sqlite")
    later = Migration(
        len(known) + 1, "later", "CREATE TABLE later (a); INSERT INTO later SELECT revision FROM feed_head;"
    )
    connection = database.connect()
    for _ in range(2):
        epoch = bring_up(connection, [*known, later], clock=clock, randomness=system_randomness)
        assert epoch == 1
        assert fetch(connection, "SELECT * FROM later") == [(0,)]
    connection.close()


def test_a_failing_migration_leaves_nothing(database: Database, clock: SettableClock) -> None:
    """A migration that fails half way is undone, with its record."""
    known = shipped("sqlite")
    broken = Migration(len(known) + 1, "broken", "CREATE TABLE half (a); INSERT INTO nowhere VALUES (1);")
    connection = database.connect()
    with pytest.raises(Exception, match="no such table"):
        bring_up(connection, [*known, broken], clock=clock, randomness=system_randomness)
    mended = replace(broken, sql="CREATE TABLE half (a);")
    bring_up(connection, [*known, mended], clock=clock, randomness=system_randomness)
    assert fetch(connection, "SELECT count(*) FROM migrations") == [(len(known) + 1,)]
    connection.close()


def test_a_new_store_is_made_whole_or_not_at_all(place: SqlitePlace, clock: SettableClock) -> None:
    """All migrations of a new store are one transaction: nobody finds it half made and takes it for an old one."""
    prepare(place.path)
    known = shipped("sqlite")
    broken = Migration(len(known) + 1, "broken", "INSERT INTO nowhere VALUES (1);")
    connection = Database(place.path, timedelta(seconds=5)).connect()
    with pytest.raises(apsw.SQLError, match="no such table"):
        bring_up(connection, [*known, broken], clock=clock, randomness=system_randomness)
    assert fetch(connection, "SELECT name FROM sqlite_schema") == []
    connection.close()
    place.open(clock=clock).ping()


@pytest.fixture
def old(place: SqlitePlace, clock: SettableClock) -> SqlitePlace:
    """Where a store of the first schema is."""
    prepare(place.path)
    connection = Database(place.path, timedelta(seconds=5)).connect()
    bring_up(connection, shipped("sqlite")[:1], clock=clock, randomness=system_randomness)
    connection.close()
    return place


@pytest.mark.parametrize("exclusive", [False, True])
def test_an_older_schema_is_refused(old: SqlitePlace, clock: SettableClock, exclusive: bool) -> None:
    """A store of an older schema is not migrated unasked: it is refused with what to run, and not changed."""
    before, known = old.path.read_bytes(), len(shipped("sqlite"))
    with pytest.raises(SchemaTooOld, match=f"version 1, this program needs {known}: run `authsvc migrate`"):
        open_store(old.url, clock=clock, exclusive=exclusive)
    assert old.path.read_bytes() == before
    assert apply_missing(old.url, clock=clock) == shipped("sqlite")[1:]
    open_store(old.url, clock=clock, exclusive=exclusive).close()


def test_who_asks_for_it_migrates_a_store_that_nobody_else_has_open(old: SqlitePlace, clock: SettableClock) -> None:
    """With ``migrate`` an older store is brought up, but never underneath a server that has it open."""
    server = Lock(old.path, alone=False)  # as every server has it, also one of the older version
    for _ in range(2):
        with pytest.raises(StoreInUse):
            open_store(old.url, clock=clock, migrate=True)
    assert find_missing(old.url) == shipped("sqlite")[1:]
    server.close()
    with closing(open_store(old.url, clock=clock, migrate=True)) as store:
        store.ping()
        assert find_missing(old.url) == ()
        # It has no need to be alone any more, and neither has whoever finds nothing to migrate.
        open_store(old.url, clock=clock, migrate=True).close()


def _alter(database: Database, statement: str, *values: object) -> None:
    connection = database.connect()
    fetch(connection, statement, values)
    connection.close()
