"""Columns: many records in little room, and nothing lost of them."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest

from authsvc.model import ApiKey, Revision, TokenId, TokenRevoked
from authsvc.storage.columns import Columns
from authsvc.storage.rows.revocations import TOKEN_COLUMNS, token_from, tokens_of
from tests.storage.places import START

HOUR = timedelta(hours=1)
MANY = 10_000
"""More than are packed at once."""


def a_token(number: int) -> TokenRevoked:
    """The token of a number; every third is remembered for ever."""
    until = None if number % 3 == 0 else START + number * HOUR
    return TokenRevoked(ApiKey(f"app-{number % 2}"), TokenId(f"jti-{number}"), until, Revision(number + 1))


def a_row(number: int) -> tuple[object, ...]:
    """The row of the same token, every value an object of its own, as an engine makes them."""
    until = None if number % 3 == 0 else 1_772_366_400_123_457 + number * 3_600_000_000
    return "".join(["app-", str(number % 2)]), f"jti-{number}", until, number + 1


@pytest.mark.parametrize("count", [0, 1, 4096, MANY])
def test_records_come_back_as_they_were(count: int) -> None:
    """However many rows there are, the records are those that a row each would have given, in order."""
    packed = tokens_of(a_row(number) for number in range(count))
    assert list(packed) == [a_token(number) for number in range(count)]
    assert list(packed.plain()) == [a_row(number) for number in range(count)]
    assert len(packed) == count


def test_single_records_and_slices() -> None:
    """A place, counted from either end, gives its record, a slice a tuple of records, and no place is made up."""
    packed = tokens_of(map(a_row, range(10)))
    assert [packed[place] for place in (0, 9, -1, -10)] == [a_token(place) for place in (0, 9, 9, 0)]
    assert packed[2:9:3] == (a_token(2), a_token(5), a_token(8))
    assert packed[10:] == ()
    with pytest.raises(IndexError):
        packed[10]


def test_equality_is_that_of_the_records() -> None:
    """Columns equal other columns and tuples with the same records in the same order, and nothing else."""
    packed = tokens_of(map(a_row, range(3)))
    records = tuple(map(a_token, range(3)))
    assert packed == tokens_of(map(a_row, range(3)))
    assert packed == records
    assert records == packed
    assert packed != records[:2]
    assert packed != (*records[:2], a_token(3))
    assert packed != tokens_of(map(a_row, range(4)))
    assert packed != 3
    assert tokens_of(()) == ()


def test_it_says_how_many_and_not_which() -> None:
    """Its text is short, however many there are."""
    assert repr(tokens_of(map(a_row, range(MANY)))) == "<10000 records>"


def test_repeated_texts_are_kept_once() -> None:
    """Of a text that repeats there is one object, and of numbers none: only what differs takes room."""
    packed = tokens_of(map(a_row, range(MANY)))
    names = [row[0] for row in packed.plain()]
    assert len({id(name) for name in names}) == 2
    assert len({id(name) for name, *_ in map(a_row, range(4))}) >= 2  # as rows come, they are not shared


def test_rows_of_another_shape_are_refused() -> None:
    """A row with a value too many is a mistake that shows at once."""
    assert TOKEN_COLUMNS.count(",") == 3
    with pytest.raises(ValueError, match="zip"):
        Columns("stni", token_from, [(*a_row(1), 0)])


def test_a_number_takes_eight_bytes() -> None:
    """Numbers are packed: a thousand more take about eight bytes each, however large they are."""
    few, many = (Columns("i", tuple, [(2**62,)] * count) for count in (1000, 2000))
    room = [sys.getsizeof(columns._columns[0]) for columns in (few, many)]
    assert room[1] - room[0] < 1000 * 12
