"""The second look: one at a time, few a second, none for what was just looked for in vain."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from authsvc.clock import Deadline, deadline_after, seconds_left
from authsvc.errors import Reason, Unavailable
from authsvc.trust.second_look import COMPANIONS, PATIENCE, SecondLook
from tests.trust.test_looks import until
from tests.trust.ticks import Ticks


class Store:
    """Counts the looks at it; each may be held up, or fail."""

    def __init__(self) -> None:
        self.looks = 0
        self.fault: Exception | None = None
        self.deadlines: list[Deadline] = []
        self.entered = threading.Event()
        self.released = threading.Event()
        self.released.set()

    def catch_up(self, deadline: Deadline) -> None:
        self.looks += 1
        self.deadlines.append(deadline)
        self.entered.set()
        assert self.released.wait(20)
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def store() -> Store:
    """A store that answers at once."""
    return Store()


@pytest.fixture
def ticks() -> Ticks:
    """A monotonic clock that is moved by hand."""
    return Ticks()


@pytest.fixture
def look(store: Store, ticks: Ticks) -> SecondLook:
    """A second look at that store."""
    return SecondLook(store.catch_up, monotonic=ticks)


def test_what_is_not_known_is_looked_for(store: Store, look: SecondLook) -> None:
    """The first time something is not known the store is looked at."""
    assert look(("app", "acme"))
    assert store.looks == 1


def test_there_are_at_most_four_a_second(store: Store, look: SecondLook, ticks: Ticks) -> None:
    """Whatever names are asked for, the answer between two looks comes from memory."""
    answers = []
    for number in range(100):
        answers.append(look(("app", f"app-{number}")))
        ticks.move(0.01)
    assert store.looks == answers.count(True) == 4


def test_a_name_that_was_not_found_is_not_looked_for_again_for_a_second(
    store: Store, look: SecondLook, ticks: Ticks
) -> None:
    """Others may be looked for meanwhile."""
    assert look("gone")
    ticks.move(0.999)
    assert (look("gone"), look("other")) == (False, True)
    ticks.move(0.25)
    assert look("gone")
    assert store.looks == 3


def test_what_was_asked_for_is_not_remembered_for_longer(look: SecondLook, ticks: Ticks) -> None:
    """However many names are asked for, a few are kept."""
    for number in range(1_000):
        look(number)
        ticks.move(0.25)
    assert len(look._in_vain) <= 5


def test_those_who_come_while_a_look_lasts_wait_for_it(store: Store, look: SecondLook) -> None:
    """Ten who ask together are answered by one look; beyond a few the answer comes from memory, at once."""
    store.released.clear()
    with ThreadPoolExecutor(COMPANIONS + 1) as pool:
        first = pool.submit(look, "first")
        assert store.entered.wait(20)
        others = [pool.submit(look, number) for number in range(COMPANIONS)]
        until(lambda: look._flight is not None and look._flight.companions == COMPANIONS)
        assert not look.would("one more")
        assert not look("one more")
        store.released.set()
        assert [done.result(20) for done in (first, *others)] == [True] * (COMPANIONS + 1)
    assert store.looks == 1


def test_who_cannot_wait_asks_whether_it_would_have_to(store: Store, look: SecondLook, ticks: Ticks) -> None:
    """Asking looks at nothing, and says what a call would do."""
    assert look.would("acme")
    assert store.looks == 0
    look("acme")
    assert not look.would("other")
    ticks.move(0.25)
    assert (look.would("acme"), look.would("other")) == (False, True)


def test_it_takes_no_longer_than_the_call_may(store: Store, look: SecondLook, ticks: Ticks) -> None:
    """The caller's deadline bounds the look, and a second does where there is none."""
    near = deadline_after(0.5)
    look("a", near)
    ticks.move(1)
    look("b", deadline_after(60))
    ticks.move(1)
    look("c")
    assert seconds_left(store.deadlines[0]) <= seconds_left(near) + 0.001
    assert all(seconds_left(deadline) <= PATIENCE for deadline in store.deadlines[1:])


def test_a_store_that_does_not_answer_leaves_the_word_to_memory(store: Store, look: SecondLook, ticks: Ticks) -> None:
    """The call is answered as if nobody had looked, and the next may look again in its time."""
    store.fault = Unavailable(Reason.STORE_UNAVAILABLE)
    assert not look("a")
    ticks.move(0.25)
    store.fault = None
    assert look("b")


def test_a_bug_does_not_block_the_next_look(store: Store, look: SecondLook, ticks: Ticks) -> None:
    """Whatever is raised, nobody waits for a look that is over."""
    store.fault = RuntimeError("nobody foresaw this")
    with pytest.raises(RuntimeError):
        look("a")
    ticks.move(0.25)
    store.fault = None
    assert look("b")
