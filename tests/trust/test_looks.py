"""Looks on demand: shared, and never one that was begun before its caller came."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from authsvc.clock import Deadline, deadline_after
from authsvc.errors import DeadlinePassed, Reason, Unavailable
from authsvc.trust.looks import Looks

PATIENCE = 20.0


class Eye:
    """What looks: each look waits until it is let go, and then does what it was told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.at_once = 0
        self.most_at_once = 0
        self.faults: list[BaseException | None] = []
        self._changed = threading.Condition()
        self._let = 0

    def __call__(self, _: Deadline | None) -> None:
        with self._changed:
            self.begun += 1
            number = self.begun
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._let >= number, PATIENCE)
            self.at_once -= 1
            fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault

    def let(self, looks: int = 1) -> None:
        """Let so many more looks end."""
        with self._changed:
            self._let += looks
            self._changed.notify_all()

    def wait(self, looks: int) -> None:
        """Wait until so many looks were begun."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.begun >= looks, PATIENCE)


@pytest.fixture
def eye() -> Eye:
    """It looks when it is let."""
    return Eye()


@pytest.fixture
def looks(eye: Eye) -> Looks:
    """Looks with that eye."""
    return Looks(eye)


def waiting(looks: Looks) -> int:
    """How many callers wait for another's look."""
    with looks._changed:
        return len(looks._changed._waiters)  # type: ignore[attr-defined]


def until(seen: Callable[[], bool]) -> None:
    """Wait for something that other threads are about to do."""
    pause, end = threading.Event(), deadline_after(PATIENCE)
    while not seen():
        assert end > deadline_after(0)
        pause.wait(0.001)


def test_a_caller_gets_a_look_that_began_after_it_came(eye: Eye, looks: Looks) -> None:
    """The look that is under way may have missed what the caller knows of: it waits for the next one."""
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(looks.catch_up)
        eye.wait(1)
        second = pool.submit(looks.catch_up)
        until(lambda: waiting(looks) == 1)
        eye.let()
        first.result(PATIENCE)
        eye.wait(2)
        assert not second.done()
        eye.let()
        second.result(PATIENCE)
    assert eye.begun == 2


def test_all_who_wait_share_one_look(eye: Eye, looks: Looks) -> None:
    """However many came while a look was under way, one more serves them all; never are there two at once."""
    with ThreadPoolExecutor(17) as pool:
        first = pool.submit(looks.catch_up)
        eye.wait(1)
        others = [pool.submit(looks.catch_up) for _ in range(16)]
        until(lambda: waiting(looks) == 16)
        eye.let(2)
        for done in (first, *others):
            done.result(PATIENCE)
    assert (eye.begun, eye.most_at_once) == (2, 1)


def test_what_was_seen_since_an_arrival_is_enough(eye: Eye, looks: Looks) -> None:
    """Of several requests that came together the first looks, and the others need no look of their own."""
    eye.let(10)
    arrival = looks.begun
    for _ in range(3):
        looks.catch_up(arrival)
    assert eye.begun == 1
    looks.catch_up()
    assert eye.begun == 2


def test_all_who_share_a_look_that_fails_are_told(eye: Eye, looks: Looks) -> None:
    """The store that does not answer is not asked again for each of them."""
    eye.faults = [None, Unavailable(Reason.STORE_UNAVAILABLE, detail="gone")]
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(looks.catch_up)
        eye.wait(1)
        others = [pool.submit(looks.catch_up) for _ in range(8)]
        until(lambda: waiting(looks) == 8)
        eye.let(2)
        first.result(PATIENCE)
        faults = [done.exception(PATIENCE) for done in others]
    assert eye.begun == 2
    assert all(isinstance(fault, Unavailable) and fault.detail == "gone" for fault in faults)
    eye.let()
    looks.catch_up()


def test_a_bug_in_a_look_is_the_lookers_own(eye: Eye, looks: Looks) -> None:
    """Who made the look gets what was raised; who waited for it is told that the store cannot be read."""
    eye.faults = [None, RuntimeError("nobody foresaw this")]
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(looks.catch_up)
        eye.wait(1)
        others = [pool.submit(looks.catch_up) for _ in range(2)]
        until(lambda: waiting(looks) == 2)
        eye.let(2)
        first.result(PATIENCE)
        kinds = sorted(type(done.exception(PATIENCE)).__name__ for done in others)
    assert kinds == ["RuntimeError", "Unavailable"]


def test_a_lookers_own_deadline_is_not_the_others(eye: Eye, looks: Looks) -> None:
    """When the one who looks has no time left, another one of them looks."""
    eye.faults = [None, DeadlinePassed(Reason.DEADLINE_EXCEEDED)]
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(looks.catch_up)
        eye.wait(1)
        others = [pool.submit(looks.catch_up) for _ in range(2)]
        until(lambda: waiting(looks) == 2)
        eye.let(3)
        first.result(PATIENCE)
        outcomes = sorted(str(done.exception(PATIENCE)) for done in others)
    assert outcomes == ["DEADLINE_EXCEEDED", "None"]
    assert eye.begun == 3


def test_who_waits_gives_up_at_its_deadline(eye: Eye, looks: Looks) -> None:
    """A caller does not wait longer for another's look than it has time."""
    with ThreadPoolExecutor(1) as pool:
        first: Future[None] = pool.submit(looks.catch_up)
        eye.wait(1)
        with pytest.raises(DeadlinePassed):
            looks.catch_up(deadline=deadline_after(0.01))
        eye.let()
        first.result(PATIENCE)
    assert eye.begun == 1
