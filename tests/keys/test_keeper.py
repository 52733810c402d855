"""Looking after keys: a clock that was set is not relied on, and a store that fails is told of once."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from authsvc.keys.changes import KeyChanges
from authsvc.keys.keeper import KeyKeeper
from authsvc.keys.making import KeyMaker
from authsvc.keys.watched_clock import MISTRUST, WatchedClock
from authsvc.logs import JsonLines
from authsvc.model import KeyState
from authsvc.signing.lifecycle import DRIFT, LEAD_TIME, LifeCycle, Present
from tests.conftest import HandClock
from tests.keys.scene import Worker, a_worker, in_step_with
from tests.signing.key_records import DAY

SECOND = timedelta(seconds=1)


@dataclass
class TwoClocks:
    """A wall clock that can be set, and how much time truly went by."""

    wall: HandClock
    passed: timedelta = timedelta(0)

    def monotonic(self) -> int:
        return self.passed // timedelta(microseconds=1) * 1_000

    def wait(self, span: timedelta) -> None:
        self.passed += span
        self.set(span)

    def set(self, by: timedelta) -> None:
        self.wall.move(seconds=by.total_seconds())


@pytest.fixture
def clocks(clock: HandClock) -> TwoClocks:
    """Both clocks, in step."""
    return TwoClocks(clock)


@pytest.fixture
def watched(clocks: TwoClocks) -> WatchedClock:
    """The wall clock, watched."""
    return WatchedClock(clocks.wall, clocks.monotonic)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_clock_that_was_set_is_not_relied_on_for_a_while(clocks: TwoClocks, watched: WatchedClock, sign: int) -> None:
    """Set forwards or backwards by more than the tolerance, a clock is steady again only ten minutes later."""
    clocks.wait(DAY)
    assert watched.steady()
    clocks.set(sign * DRIFT)
    assert watched.steady()
    clocks.set(sign * (DRIFT + SECOND))
    assert not watched.steady()
    clocks.wait(MISTRUST - SECOND)
    assert not watched.steady()
    clocks.wait(SECOND)
    assert watched.steady()


def test_what_a_clock_would_show_had_it_not_been_set(clocks: TwoClocks, watched: WatchedClock) -> None:
    """The bounds of the present are those of a clock that was never set forwards, and of one never set back."""
    start = clocks.wall()
    assert watched.present() == Present(start, start, start)
    clocks.set(3 * DAY)
    watched.present()
    clocks.set(-5 * DAY)
    watched.present()
    clocks.wait(timedelta(hours=1))
    later = start + timedelta(hours=1)
    assert watched.present() == Present(later - 2 * DAY, later - 2 * DAY, later + 3 * DAY)


def test_nothing_is_done_with_a_clock_that_was_just_set(state_dir: Path, clocks: TwoClocks) -> None:
    """A clock set forwards past a lead time brings no key forward; once it is found steady what is due is done."""
    with a_worker(state_dir, clocks.wall, monotonic=clocks.monotonic) as worker:
        worker.new_app()
        successor = worker.rotate()
        clocks.set(DAY)
        assert (worker.domain.keeper.look(), worker.states()[successor]) == (0, KeyState.PENDING)
        clocks.wait(MISTRUST)
        assert (worker.domain.keeper.look(), worker.active()) == (1, successor)


def test_a_clock_set_forwards_ends_no_key(state_dir: Path, clocks: TwoClocks) -> None:
    """However long a clock is ahead, a retired key is not removed before its tokens have truly ended."""
    with a_worker(state_dir, clocks.wall, monotonic=clocks.monotonic) as worker:
        worker.new_app()
        first, before = worker.active(), worker.token(ttl=DAY)
        worker.rotate(at_once=True)
        clocks.set(400 * DAY)
        worker.domain.keeper.look()
        clocks.wait(DAY / 2)
        assert worker.domain.keeper.look() == 0
        clocks.set(-400 * DAY)
        assert worker.verdict(before).active
        clocks.wait(9 * DAY)
        worker.domain.keeper.look()
        clocks.wait(MISTRUST)
        assert worker.domain.keeper.look() == 1
        assert first not in worker.states()


def test_a_store_that_fails_is_told_of_once(worker: Worker) -> None:
    """While the store does not answer there is one warning, and looking goes on; nothing is raised."""
    lines = io.StringIO()
    worker.domain.logs.configure_loggers({"default": {"sink": JsonLines(lines)}})
    worker.rotate()
    worker.clock.move(seconds=LEAD_TIME.total_seconds())
    worker.domain.store.close()
    for _ in range(3):
        assert worker.domain.keeper.look() == 0
    assert lines.getvalue().count("keys are not looked after for now") == 1
    assert '"reason":"STORE_UNAVAILABLE"' in lines.getvalue()


def test_a_keeper_that_was_started_looks_by_itself(worker: Worker) -> None:
    """What comes due after the start is done by a thread, which ends when it is told to."""
    successor, domain = worker.rotate(), worker.domain
    done, watched = threading.Event(), WatchedClock(worker.clock, in_step_with(worker.clock))
    domain.feed.subscribe(lambda _: done.set())
    log = domain.logs.get_logger("signing")
    maker = KeyMaker(domain.sealer, clock=worker.clock)
    changes = KeyChanges(domain.view, domain.store, maker, watched, log, catch_up=lambda _: None)
    keeper = KeyKeeper(domain.view, changes, LifeCycle(), watched, log, every=0.001)
    keeper.start()
    worker.clock.move(seconds=LEAD_TIME.total_seconds())
    assert done.wait(30)
    keeper.stop()
    assert worker.active() == successor


def test_a_keeper_that_was_not_started_can_be_stopped(worker: Worker) -> None:
    """A command that opens the store and serves nobody ends without waiting for anything."""
    worker.domain.keeper.stop()
    assert worker.domain.keeper.look() == 0
