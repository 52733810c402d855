"""Statements with named places, prepared once per connection, and values as the bytes that travel.

A tuple of texts, or of byte strings, is an array (PostgreSQL documentation, ``array_send``).
"""

from __future__ import annotations

import itertools
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final

Row = tuple[Any, ...]

# `:name`, but not the type in `::bigint`.
_PLACE = re.compile(r"(?<!:):([a-z_]+)")
_NUMBERS = itertools.count(1)


class Statement:
    """One SQL statement. ``:name`` is a place for a value; whole numbers travel as 64 bits, so columns are BIGINT.

    ``planned``: each time, for its values and for what its tables hold then. Where several rows are looked up at once
    the best way depends on both, and a plan that was made while a table was small would read all of it for ever.
    """

    __slots__ = ("_names", "formats", "name", "planned", "sql")

    def __init__(self, sql: str, *, planned: bool = False) -> None:
        self.planned: Final = planned
        names = list(dict.fromkeys(_PLACE.findall(sql)))
        self.sql: Final = _PLACE.sub(lambda match: f"${names.index(match[1]) + 1}", sql).encode()
        self.name: Final = b"authsvc_%d" % next(_NUMBERS)
        self.formats: Final = (1,) * len(names)
        self._names: Final = tuple(names)

    def __call__(self, **values: object) -> Request:
        """The statement with a value for each place; raises ``ValueError`` for what no column can hold."""
        return self.of(values)

    def of(self, values: Mapping[str, object]) -> Request:
        """The same, from a mapping that may hold more."""
        return Request(self, [encoded(values[name]) for name in self._names])


@dataclass(frozen=True, slots=True)
class Request:
    """A statement with its values, ready to be sent."""

    statement: Statement
    values: list[bytes | None]


def places(columns: str) -> str:
    """The places of those columns: ``:id, :name`` for ``id, name``."""
    return ", ".join(f":{name}" for name in _names(columns))


def by_column(columns: str, row: Row) -> dict[str, object]:
    """The values of a row by the names of its columns."""
    return dict(zip(_names(columns), row, strict=True))


def encoded(value: object) -> bytes | None:
    """A value in PostgreSQL's binary form."""
    encode = _FORMS.get(type(value))
    if encode is not None:
        return encode(value)
    if isinstance(value, str):  # an enumeration's member
        return _text(value)
    raise TypeError(f"{type(value).__name__} is no type of a column")


def _names(columns: str) -> list[str]:
    return [name.strip() for name in columns.split(",")]


def _text(value: str) -> bytes:
    if "\0" in value:
        raise ValueError("text that is kept must not hold a NUL character")
    return str.encode(value)


_ARRAY: Final = struct.Struct(">iiiii")  # dimensions, has NULLs, type of the elements, their number, index of the first
_LENGTH: Final = struct.Struct(">i")
_TEXT_TYPE: Final = 25
_BYTES_TYPE: Final = 17


def _array(values: tuple[str, ...] | tuple[bytes, ...]) -> bytes:
    kind = _BYTES_TYPE if values and isinstance(values[0], bytes) else _TEXT_TYPE
    elements = [value if isinstance(value, bytes) else _text(value) for value in values]
    told = b"".join(_LENGTH.pack(len(element)) + element for element in elements)
    return _ARRAY.pack(1, 0, kind, len(elements), 1) + told


_FORMS: Final[Mapping[type, Callable[[Any], bytes | None]]] = {
    NoneType: lambda _: None,
    bool: lambda value: b"\x01" if value else b"\x00",
    int: struct.Struct(">q").pack,
    str: _text,
    bytes: lambda value: value,
    tuple: _array,
}
