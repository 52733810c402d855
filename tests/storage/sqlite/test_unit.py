"""A unit of work is begun or withdrawn, never both, and never begun too late."""

from __future__ import annotations

import pytest

from authsvc.clock import Deadline, deadline_after
from authsvc.errors import DeadlinePassed
from authsvc.storage.sqlite.transaction import Transaction
from authsvc.storage.sqlite.unit import Unit
from tests.storage.crowd import Background, all_at_once


def work(transaction: Transaction) -> str:
    """Never called here: the writer would."""
    raise AssertionError


def test_it_is_begun_once() -> None:
    """The first who takes a unit decides; a writer that comes second leaves it alone."""
    unit = Unit(work, None)
    assert unit.begin()
    assert not unit.begin()
    assert not unit.take()


def test_it_is_not_begun_too_late() -> None:
    """A unit whose deadline has passed is not begun, though its caller has not withdrawn it yet."""
    unit = Unit(work, Deadline(0.0))
    assert not unit.begin()
    with pytest.raises(DeadlinePassed):
        unit.outcome()


def test_one_of_both_decides() -> None:
    """When the writer and the caller reach for a unit at the same time, exactly one gets it, round after round."""
    for _ in range(200):
        unit = Unit(work, deadline_after(30))
        assert sorted(map(str, all_at_once([unit.begin, unit.take]))) == ["False", "True"]


def test_a_withdrawn_unit_is_not_begun() -> None:
    """After the caller was told that its deadline passed, the writer does not begin the work."""
    unit = Unit(work, deadline_after(0.001))
    with pytest.raises(DeadlinePassed):
        unit.outcome()
    assert not unit.begin()


def test_a_begun_unit_is_waited_for() -> None:
    """A caller whose deadline passes after the work was begun gets the outcome."""
    unit = Unit(work, deadline_after(0.001))
    assert unit.begin()
    waiting = Background(unit.outcome)
    unit.result = "done"
    unit.tell()
    assert waiting.outcome() == "done"
