"""The writer: groups of units, each undone alone, none acknowledged that is not durable."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from authsvc.clock import deadline_after
from authsvc.errors import DeadlinePassed, Reason, Unavailable
from authsvc.model import Commit, Revision
from authsvc.storage.sqlite.connection import Database, fetch
from authsvc.storage.sqlite.transaction import Transaction
from authsvc.storage.sqlite.writer import Writer
from tests.storage.crowd import Background, Held
from tests.storage.places import SettableClock, SqlitePlace
from tests.storage.records import an_app, an_audit
from tests.storage.sqlite.disk import Disk, Fault, disk_full, io_error

CALLERS = 100


@pytest.fixture
def writer(database: Database, clock: SettableClock) -> Iterator[Writer]:
    """A writer on the database, which is kept open beside it."""
    anchor = database.anchor()
    writer = Writer(database.connect, clock)
    yield writer
    writer.close()
    anchor.close()


def keep(number: int, transaction: Transaction) -> int:
    """A unit of work that leaves one row."""
    transaction.fetch("INSERT INTO secrets VALUES ('test', ?, x'00', 0, 0)", (number,))
    return number


def fail(transaction: Transaction) -> None:
    """A unit of work that fails after it left a row."""
    keep(255, transaction)
    raise ZeroDivisionError


def kept(database: Database) -> list[int]:
    """The numbers of the rows that are there, as another connection sees them."""
    connection = database.connect(query_only=True)
    numbers = [number for (number,) in fetch(connection, "SELECT number FROM secrets ORDER BY number")]
    connection.close()
    return numbers


def in_one_batch(writer: Writer, works: list[Callable[[Transaction], object]]) -> list[object]:
    """Let all works wait behind a held unit, then let them go; their outcomes in order."""
    held = Held()
    first = Background(partial(writer.run, held))
    held.wait_until_reached()
    calls = [Background(partial(writer.run, work)) for work in works]
    while writer.backlog() < len(works):
        os.sched_yield()
    held.release()
    first.outcome()
    return [call.outcome() for call in calls]


def test_one_flush_serves_all_that_wait(writer: Writer, disk: Disk) -> None:
    """A hundred units that wait together are made durable by one flush of the log; one by one they take as many."""
    writer.run(partial(keep, 254))
    before = disk.done["sync", "log"]
    assert in_one_batch(writer, [partial(keep, i) for i in range(CALLERS)]) == list(range(CALLERS))
    assert disk.done["sync", "log"] == before + 1
    for i in range(CALLERS, CALLERS + 10):
        writer.run(partial(keep, i))
    assert disk.done["sync", "log"] == before + 11


def test_a_failing_unit_harms_no_other(writer: Writer, database: Database) -> None:
    """A unit that raises is undone alone: its own exception goes to its caller, its neighbours are kept."""
    outcomes = in_one_batch(writer, [partial(keep, 0), fail, partial(keep, 1), fail, partial(keep, 2)])
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [0, 1, 2]
    assert sum(isinstance(outcome, ZeroDivisionError) for outcome in outcomes) == 2
    assert kept(database) == [0, 1, 2]


@pytest.mark.parametrize("fault", [io_error, disk_full])
@pytest.mark.parametrize("operation", ["sync", "write"])
def test_a_failed_commit_is_acknowledged_to_nobody(
    writer: Writer, database: Database, disk: Disk, operation: str, fault: Fault
) -> None:
    """When the log cannot be written or flushed, every caller of the batch gets UNAVAILABLE; then life goes on."""
    writer.run(partial(keep, 250))
    disk.faults[operation, "log"] = fault
    outcomes = in_one_batch(writer, [partial(keep, i) for i in range(CALLERS)])
    disk.faults.clear()
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    assert {outcome.reason for outcome in outcomes if isinstance(outcome, Unavailable)} == {Reason.STORE_UNAVAILABLE}
    assert kept(database) == [250]
    assert in_one_batch(writer, [partial(keep, i) for i in range(CALLERS)]) == list(range(CALLERS))
    assert kept(database) == [*range(CALLERS), 250]


def test_a_failed_flush_is_not_found_later(database: Database, disk: Disk, clock: SettableClock) -> None:
    """While the store is open nobody finds what a failed commit left in the log, though the writer starts anew.

    The control: without the anchor the next one who opens the database finds it.
    """
    for anchors, first, found in [([database.anchor()], 10, [10]), ([], 11, [1, 10, 11])]:
        writer = Writer(database.connect, clock)
        writer.run(partial(keep, first))
        disk.faults["sync", "log"] = io_error
        with pytest.raises(Unavailable):
            writer.run(partial(keep, 1))
        writer.close()
        disk.faults.clear()
        assert kept(database) == found
        for anchor in anchors:
            anchor.close()


def keep_large(transaction: Transaction) -> None:
    """A unit of work that fills a good part of what the log may hold."""
    transaction.fetch("REPLACE INTO secrets VALUES ('large', 0, zeroblob(1000000), 0, 0)")


def test_the_log_does_not_grow_for_ever(writer: Writer, place: SqlitePlace) -> None:
    """However much is written, the log is moved to the database whenever it has become large."""
    for _ in range(20):
        writer.run(keep_large)
    log = place.path.with_name(place.path.name + "-wal")
    assert log.stat().st_size < 8_000_000


@pytest.mark.parametrize("operation", ["sync", "write"])
def test_a_log_that_cannot_be_moved_fails_no_commit(
    writer: Writer, database: Database, disk: Disk, operation: str
) -> None:
    """What is durable in the log is acknowledged, though it cannot be moved to the database now."""
    disk.faults[operation, "other"] = io_error
    for number in range(8):
        writer.run(keep_large)
        assert writer.run(partial(keep, number)) == number
    assert disk.failed[operation, "other"] > 0
    disk.faults.clear()
    assert kept(database) == [0, *range(8)]


def test_a_refusal_names_the_fault_and_no_statement(writer: Writer, disk: Disk) -> None:
    """The private detail is the fault's class and extended code; a repeat is suggested after a second."""
    disk.faults["sync", "log"] = io_error
    with pytest.raises(Unavailable) as refusal:
        writer.run(partial(keep, 0))
    assert refusal.value.detail == "IOError 1034"
    assert refusal.value.retry_after is not None
    assert refusal.value.retry_after.total_seconds() == 1


def test_the_listener_hears_nothing_of_a_failed_commit(writer: Writer, disk: Disk) -> None:
    """Commits are told only once they are durable: not the one that failed, but the next one, under its number."""
    heard: list[Commit] = []
    writer.listen(heard.append)

    def publish(transaction: Transaction) -> Revision:
        revision = transaction.next_revision()
        transaction.publish(revision, (an_app(),), an_audit())
        return revision

    disk.faults["sync", "log"] = io_error
    with pytest.raises(Unavailable):
        writer.run(publish)
    disk.faults.clear()
    assert heard == []
    revision = writer.run(publish)
    assert [commit.revision for commit in heard] == [revision]


def test_what_the_engine_undoes_is_told_to_all(writer: Writer, database: Database) -> None:
    """A fault that makes the engine undo the whole batch reaches every caller in it, and the next batch is well."""

    def overflow(transaction: Transaction) -> None:
        transaction.fetch("PRAGMA max_page_count = 1")  # becomes the present size: there is no room for more
        transaction.fetch("INSERT INTO secrets VALUES ('large', 0, zeroblob(1000000), 0, 0)")

    outcomes = in_one_batch(writer, [partial(keep, 0), overflow, partial(keep, 1)])
    assert [getattr(outcome, "detail", "") for outcome in outcomes] == ["FullError 13"] * 3
    assert kept(database) == []
    writer.run(lambda transaction: transaction.fetch("PRAGMA max_page_count = 1000000"))
    assert writer.run(partial(keep, 2)) == 2


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, RecursionError, MemoryError])
def test_the_writer_survives_whatever_is_raised(writer: Writer, error: type[BaseException]) -> None:
    """Not even what ends a process ends the writer: it goes to the caller whose work raised it."""

    def work(transaction: Transaction) -> None:
        raise error

    with pytest.raises(error):
        writer.run(work)
    assert writer.run(partial(keep, 1)) == 1


def test_a_listener_that_raises_is_shown(writer: Writer, database: Database) -> None:
    """A listener's mistake surfaces at the caller whose commit it was; the commit stays, the writer lives."""

    def deaf(commit: Commit) -> None:
        raise ZeroDivisionError

    def publish(transaction: Transaction) -> None:
        keep(1, transaction)
        transaction.publish(transaction.next_revision(), (an_app(),), an_audit())

    writer.listen(deaf)
    with pytest.raises(ZeroDivisionError):
        writer.run(publish)
    assert kept(database) == [1]
    assert writer.run(partial(keep, 2)) == 2


def test_a_rivals_lock_is_waited_for_within_bounds(database: Database, disk: Disk, clock: SettableClock) -> None:
    """While another process holds the write lock for longer than ``busy_timeout``, callers get UNAVAILABLE."""
    rival = database.connect()
    fetch(rival, "BEGIN IMMEDIATE")
    hasty = Database(database.path, database.busy_timeout / 250, disk.name)
    writer = Writer(hasty.connect, clock)
    with pytest.raises(Unavailable) as refusal:
        writer.run(partial(keep, 1))
    assert refusal.value.detail == "BusyError 5"
    fetch(rival, "ROLLBACK")
    rival.close()
    assert writer.run(partial(keep, 2)) == 2
    writer.close()
    assert kept(database) == [2]


def test_a_caller_can_leave_while_the_lock_is_held(writer: Writer, database: Database) -> None:
    """A deadline that passes while the writer waits for a rival's lock withdraws the work; without one it is done."""
    rival = database.connect()
    fetch(rival, "BEGIN IMMEDIATE")
    patient = Background(partial(writer.run, partial(keep, 1)))
    with pytest.raises(DeadlinePassed):
        writer.run(partial(keep, 2), deadline=deadline_after(0.02))
    fetch(rival, "ROLLBACK")
    rival.close()
    assert patient.outcome() == 1
    assert kept(database) == [1]
