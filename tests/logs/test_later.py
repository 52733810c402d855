"""Work that nobody waits for: done once, in order, soon, and all of it before the end."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Sequence

import pytest

from authsvc.logs import JsonLines, Later, Level, LoggerSystem
from tests.storage.crowd import Background, Held


class Done:
    """Keeps what was done, batch by batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.some = threading.Event()

    def __call__(self, batch: Sequence[int]) -> None:
        self.batches.append(list(batch))
        self.some.set()

    @property
    def pieces(self) -> list[int]:
        return [piece for batch in self.batches for piece in batch]


def test_what_is_added_is_done_without_being_asked_for() -> None:
    """A piece is done by the thread, and another one after it as well: the thread goes back to waiting in between."""
    done = Done()
    later = Later(done, name="test")
    for piece in (1, 2):
        done.some.clear()
        later.add(piece)
        assert done.some.wait(10)
    later.close()
    assert done.pieces == [1, 2]


def test_pieces_are_done_in_the_order_of_each_thread_and_none_is_lost() -> None:
    """Eight threads add at once, with flushes in between: each piece is done once, and after its predecessors."""
    done = Done()
    later = Later(done, name="test")

    def add(first: int) -> None:
        for piece in range(first, first + 500):
            later.add(piece)
            if piece % 100 == 0:
                later.flush()

    threads = [threading.Thread(target=add, args=(number * 1_000,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    later.close()
    for number in range(8):
        mine = [piece for piece in done.pieces if piece // 1_000 == number]
        assert mine == list(range(number * 1_000, number * 1_000 + 500))
    assert len(done.batches) < len(done.pieces), "many at a time"


def test_a_flush_returns_when_all_is_done() -> None:
    """What was added before is done when it returns, whoever did it."""
    done = Done()
    later = Later(done, name="test")
    for piece in range(1_000):
        later.add(piece)
    later.flush()
    assert done.pieces == list(range(1_000))
    later.close()


def test_nothing_is_lost_at_the_end() -> None:
    """Closing does what is left; what is added afterwards is done by who adds it."""
    done = Done()
    later = Later(done, name="test")
    later.add(1)
    later.close()
    assert done.pieces == [1]
    later.add(2)
    assert done.pieces == [1, 2]
    later.close()


def test_who_adds_beyond_the_bound_does_a_share_of_the_work() -> None:
    """65,536 pieces may wait; whoever adds another one goes on when they are done, so that no more ever wait."""
    done, held, begun = Done(), Held(), threading.Event()

    def do(batch: Sequence[int]) -> None:
        held(batch)
        done(batch)

    later = Later(do, name="test")
    later.add(0)
    held.wait_until_reached()
    for piece in range(1, 65_537):
        later.add(piece)
    assert done.pieces == [], "they wait, and nobody for them"

    def release() -> None:
        assert begun.wait(10)
        held.release()

    releasing = Background(release)
    begun.set()
    later.add(65_537)
    assert done.pieces == list(range(65_538))
    releasing.outcome()
    later.close()


def test_work_that_raises_does_not_end_the_thread() -> None:
    """Its batch is lost, the next one is done."""
    done = Done()

    def do(batch: Sequence[int]) -> None:
        if 0 in batch:
            raise RuntimeError
        done(batch)

    later = Later(do, name="test")
    later.add(0)
    later.flush()
    later.add(1)
    assert done.some.wait(10)
    later.close()
    assert done.pieces == [1]


def test_a_sink_that_throws_at_the_end_of_a_batch_is_told_of_once() -> None:
    """A sink that writes together and fails then is isolated and reported like one that fails at an event."""
    reports: list[str] = []

    class Failing:
        """Takes events and cannot write them."""

        def __call__(self, level: Level, message: str, event: object) -> None:
            """Nothing yet."""

        def together(self) -> Failing:
            return self

        def __enter__(self) -> None:
            """Begin to hold back."""

        def __exit__(self, *_: object) -> None:
            raise OSError

    logs = LoggerSystem(["rpc"], built_in=lambda _, message, event: reports.append(f"{message} {event['target']}"))
    logs.configure_loggers({"rpc": {"sink": Failing()}})
    log = logs.get_logger("rpc")
    for _ in range(2):
        with log.together():
            log.info("an event")
    assert reports == ["a log sink throws: its events are lost, told once Failing"]


def test_what_is_raised_within_a_batch_is_not_the_sinks() -> None:
    """Who fails between two events hears of it; the lines that were held back are written, and no sink is blamed."""
    stream = io.StringIO()
    log = LoggerSystem(["rpc"], built_in=JsonLines(stream)).get_logger("rpc")

    def fails() -> None:
        with log.together():
            log.info("an event")
            raise LookupError

    with pytest.raises(LookupError):
        fails()
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["message"] == "an event"
