"""Very many records of one kind, kept as columns until they are looked at: a million are a few objects each.

Whole numbers are packed, texts that repeat are kept once, others are joined to long ones. A record is made when it is
asked for and lives no longer than its reader wants it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import accumulate, islice
from typing import Any, Final, Generic, TypeVar, overload

T = TypeVar("T")

Row = tuple[Any, ...]

_CHUNK: Final = 4096
_NONE: Final = -(2**63)
"""Stands for a number that is missing; no moment and no revision is that small."""


class _Joined:
    """Texts, or byte strings, one after the other in a long one for each chunk."""

    __slots__ = ("_chunks", "_nothing")

    def __init__(self, nothing: str | bytes) -> None:
        self._nothing = nothing
        self._chunks: list[tuple[Any, array[int]]] = []

    def extend(self, values: Sequence[Any]) -> None:
        self._chunks.append((self._nothing.join(values), array("I", accumulate(map(len, values)))))

    def __iter__(self) -> Iterator[Any]:
        for joined, ends in self._chunks:
            start = 0
            for end in ends:
                yield joined[start:end]
                start = end

    def __getitem__(self, index: int) -> Any:
        joined, ends = self._chunks[index // _CHUNK]  # all but the last are full
        place = index % _CHUNK
        return joined[ends[place - 1] if place else 0 : ends[place]]


class Columns(Sequence[T], Generic[T]):
    """Records as an immutable sequence. ``kinds`` has a letter for each column of the rows it is made from:

    ``i`` whole numbers, ``n`` whole numbers that may be missing, ``s`` texts that repeat, ``t`` texts that do not,
    ``b`` bytes.
    Equal to any sequence of equal records.
    """

    __slots__ = ("_columns", "_kinds", "_length", "_record")

    def __init__(self, kinds: str, record: Callable[[Row], T], rows: Iterable[Row] = ()) -> None:
        self._kinds = kinds
        self._record = record
        self._columns: list[Any] = [_column(kind) for kind in kinds]
        self._length = 0
        shared: dict[str, str] = {}
        rows = iter(rows)
        while chunk := list(islice(rows, _CHUNK)):
            self._length += len(chunk)
            for kind, column, values in zip(kinds, self._columns, zip(*chunk, strict=True), strict=True):
                column.extend(_packed(kind, values, shared))

    def plain(self) -> Plain:
        """The rows they are made from, for readers to whom a record would be a detour; as often as they like."""
        return Plain(self)

    def rows(self) -> Iterator[Row]:
        """As ``plain``, once."""
        return zip(*map(_unpacked, self._kinds, self._columns), strict=True)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        return map(self._record, self.rows())

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...

    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        if isinstance(index, slice):
            return tuple(self[place] for place in range(*index.indices(self._length)))
        index = range(self._length)[index]  # counts from the end, and raises, as sequences do
        values = (column[index] for column in self._columns)
        return self._record(
            tuple(
                None if kind == "n" and value == _NONE else value
                for kind, value in zip(self._kinds, values, strict=True)
            )
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Columns | tuple):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self._length} records>"


class Plain(Collection[Row]):
    """The rows of columns, made while they are gone through."""

    __slots__ = ("_columns",)

    def __init__(self, columns: Columns[Any]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns)

    def __iter__(self) -> Iterator[Row]:
        return self._columns.rows()

    def __contains__(self, row: object) -> bool:
        return any(row == mine for mine in self)


def _column(kind: str) -> Any:
    match kind:
        case "i" | "n":
            return array("q")
        case "t" | "b":
            return _Joined("" if kind == "t" else b"")
        case _:
            return list[Any]()


def _packed(kind: str, values: Sequence[Any], shared: dict[str, str]) -> Iterable[Any]:
    if kind == "n" and None in values:
        return [_NONE if value is None else value for value in values]
    if kind == "s":
        shared.update((value, value) for value in set(values) - shared.keys())
        return map(shared.__getitem__, values)
    return values


def _unpacked(kind: str, column: Sequence[Any]) -> Iterable[Any]:
    if kind == "n" and _NONE in column:
        return (None if value == _NONE else value for value in column)
    return column
