"""Threads that wait go on one after the other, in the order in which they came."""

from __future__ import annotations

from threading import Thread

from authsvc.client.tokens.line import Line, Place


def test_threads_go_on_in_order() -> None:
    """Twenty threads, started in any order: each goes on only when the one before it in the line has."""
    line, went_on = Line[str](), list[int]()
    places = [line.join() for _ in range(20)]

    def wait(number: int, place: Place[str]) -> None:
        assert place.wait(10) == "now"
        went_on.append(number)
        place.leave()

    threads = [Thread(target=wait, args=numbered) for numbered in reversed(list(enumerate(places)))]
    for thread in threads:
        thread.start()
    first = line.release("now")
    assert went_on == []
    assert first is not None
    first.call()
    for thread in threads:
        thread.join()
    assert went_on == list(range(20))


def test_the_next_waits_for_the_one_before() -> None:
    """Being called is not enough: as long as the first has not left, the second waits."""
    line = Line[str]()
    first, second = line.join(), line.join()
    assert line.release("now") is first
    first.call()
    assert (first.wait(0), second.wait(0)) == ("now", None)
    first.leave()
    assert second.wait(0) == "now"


def test_who_has_left_holds_nobody_up() -> None:
    """Thousands who did not wait long enough are passed over, before and after the outcome came."""
    line = Line[str]()
    places = [line.join() for _ in range(5000)]
    for place in places[1:-1]:
        place.leave()
    line.release("now")
    places[0].call()
    assert places[-1].wait(0) is None
    places[0].leave()
    assert places[-1].wait(0) == "now"


def test_a_line_is_empty_after_it_was_released() -> None:
    """Who comes later waits for the next outcome; who drops out is forgotten."""
    line = Line[str]()
    line.join()
    line.release("now")
    assert len(line) == 0
    assert line.release("nobody") is None
    place = line.join()
    line.drop(place)
    line.drop(place)
    assert len(line) == 0
