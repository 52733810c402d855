"""Places are counted by holder, and each comes back exactly once, however its call ended."""

from __future__ import annotations

import gc
import threading

from authsvc.rpc.tickets import Places


def test_a_holder_has_so_many_places_and_no_more() -> None:
    """The limit is each holder's own."""
    places = Places()
    mine = [places.take("me", 2) for _ in range(3)]
    assert [ticket is not None for ticket in mine] == [True, True, False]
    assert places.take("you", 2) is not None
    assert places.taken("me") == 2


def test_a_place_comes_back_once() -> None:
    """Giving a ticket back twice frees one place."""
    places = Places()
    first, second = places.take("me", 2), places.take("me", 2)
    assert first is not None
    first.give_back()
    first.give_back()
    assert places.taken("me") == 1
    assert second is not None


def test_a_lost_ticket_comes_back_by_itself() -> None:
    """A ticket that is dropped, or given back and then dropped, frees one place."""
    places = Places()
    kept, dropped, given = (places.take("me", 3) for _ in range(3))
    assert given is not None
    given.give_back()
    del dropped, given
    assert places.taken("me") == 1
    assert kept is not None


def test_a_ticket_lost_in_a_cycle_comes_back_when_that_is_collected() -> None:
    """A refused call and its error refer to each other: the collector gives the place back."""
    places = Places()
    gc.disable()
    try:
        cycle: list[object] = [places.take("me", 1)]
        cycle.append(cycle)
        del cycle
        assert places.take("me", 1) is None
        gc.collect()
        assert places.take("me", 1) is not None
    finally:
        gc.enable()


class Collecting(str):
    """A holder's name that loses another ticket in the middle of ``take``, as a collection at that moment would."""

    __slots__ = ("lost",)
    lost: list[object]

    def __hash__(self) -> int:
        getattr(self, "lost", []).clear()
        return super().__hash__()


def test_a_ticket_lost_in_the_middle_of_taking_is_harmless() -> None:
    """The collector may run on the thread that is taking a place: it does not wait for itself, and nothing is lost."""
    places, holder = Places(), Collecting("me")
    holder.lost = [places.take("you", 1)]
    taking = threading.Thread(target=places.take, args=(holder, 1), daemon=True)
    taking.start()
    taking.join(10)
    assert not taking.is_alive()
    assert holder.lost == [], "it was lost in there"
    assert (places.taken("you"), places.taken("me")) == (0, 0)


def test_places_are_counted_right_by_many_threads() -> None:
    """Under contention nobody gets in over the limit and nothing is lost."""
    places, refused = Places(), threading.Semaphore(0)
    most, inside, seen = 3, [0], [0]
    lock = threading.Lock()

    def come_and_go() -> None:
        for _ in range(300):
            ticket = places.take("me", most)
            if ticket is None:
                refused.release()
                continue
            with lock:
                inside[0] += 1
                seen[0] = max(seen[0], inside[0])
            with lock:
                inside[0] -= 1
            ticket.give_back()

    threads = [threading.Thread(target=come_and_go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < seen[0] <= most
    assert places.taken("me") == 0


def test_a_ticket_for_several_places_is_all_or_none() -> None:
    """It is had only while all of its places are free, and gives all of them back, once."""
    places = Places()
    one = places.take("me", 4)
    assert places.take("me", 4, 4) is None
    three = places.take("me", 4, 3)
    assert three is not None
    assert places.taken("me") == 4
    assert places.take("me", 4) is None
    three.give_back()
    three.give_back()
    assert places.taken("me") == 1
    assert one is not None
