"""The writer tells who wants to know how its batches went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from authsvc.errors import Unavailable
from authsvc.storage.sqlite.connection import Database
from authsvc.storage.sqlite.transaction import Transaction
from authsvc.storage.sqlite.writer import Writer
from tests.storage.places import SettableClock
from tests.storage.sqlite.disk import Disk, io_error


@dataclass
class Observer:
    """Keeps what it is told, and may be of the sort that raises."""

    raises: bool = False
    committed_batches: list[tuple[int, float]] = field(default_factory=list)
    failures: int = 0

    def committed(self, changes: int, seconds: float) -> None:
        self.committed_batches.append((changes, seconds))
        if self.raises:
            raise ZeroDivisionError

    def failed(self) -> None:
        self.failures += 1


@pytest.fixture
def observer() -> Observer:
    return Observer()


@pytest.fixture
def writer(database: Database, clock: SettableClock, observer: Observer) -> Iterator[Writer]:
    """A writer that is observed, on a database that is kept open beside it."""
    anchor = database.anchor()
    writer = Writer(database.connect, clock, observer)
    yield writer
    writer.close()
    anchor.close()


def keep(transaction: Transaction) -> int:
    """A unit of work that leaves a row."""
    transaction.fetch("INSERT INTO secrets VALUES ('test', (SELECT count(*) FROM secrets), x'00', 0, 0)")
    return 1


def test_a_batch_is_told_when_it_is_durable(writer: Writer, observer: Observer) -> None:
    """A unit alone is a batch of one change, and its commit took some time."""
    writer.run(keep)
    ((changes, seconds),) = observer.committed_batches
    assert changes == 1
    assert seconds > 0
    assert observer.failures == 0


def test_a_failed_flush_is_a_failure(writer: Writer, observer: Observer, disk: Disk) -> None:
    """A batch whose flush fails is told as failed and not as committed; the next one is committed."""
    disk.faults["sync", "log"] = io_error
    with pytest.raises(Unavailable):
        writer.run(keep)
    assert (observer.committed_batches, observer.failures) == ([], 1)
    disk.faults.clear()
    writer.run(keep)
    assert len(observer.committed_batches) == 1


def test_an_observer_that_raises_harms_nobody(writer: Writer, observer: Observer) -> None:
    """What is durable is acknowledged, whatever the observer does, and the writer goes on."""
    observer.raises = True
    assert writer.run(keep) == 1
    assert writer.run(keep) == 1
    assert len(observer.committed_batches) == 2
