"""How values of one type go into JSON and come back unchanged, chosen by the type's annotation.

Strict on the way back: a value of any other type raises ValueError or TypeError. Must not know which records use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, NamedTuple, get_args, get_origin

from authsvc.clock import from_microseconds, to_microseconds

_MICROSECOND = timedelta(microseconds=1)


class JsonForm(NamedTuple):
    """Both directions for one type."""

    into: Callable[[Any], Any]
    back: Callable[[Any], Any]


def form_of(annotation: Any) -> JsonForm:
    """The JSON form of an annotation; raises ``TypeError`` for a type that has none yet."""
    annotation = getattr(annotation, "__supertype__", annotation)  # a NewType is stored as what it is made of
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if origin is UnionType and len(arguments) == 2 and arguments[1] is NoneType:
        return _optional(form_of(arguments[0]))
    if origin in (tuple, frozenset):
        return _several(origin, form_of(arguments[0]))
    if origin is Mapping:
        return JsonForm(dict, exactly(dict))
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return JsonForm(str, annotation)
    raise TypeError(f"no JSON form for {annotation!r}")


def exactly(kind: type) -> Callable[[Any], Any]:
    """A check that a value is of that very type: ``isinstance`` would take True for 1."""

    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(kind.__name__)
        return value

    return check


def _same(kind: type) -> JsonForm:
    return JsonForm(lambda value: value, exactly(kind))


def _optional(form: JsonForm) -> JsonForm:
    return JsonForm(
        lambda value: None if value is None else form.into(value),
        lambda value: None if value is None else form.back(value),
    )


def _several(container: type, form: JsonForm) -> JsonForm:
    arrange: Callable[[Iterable[Any]], Iterable[Any]] = sorted if container is frozenset else list
    check = exactly(list)
    return JsonForm(
        lambda values: [form.into(value) for value in arrange(values)],
        lambda values: container(form.back(value) for value in check(values)),
    )


_integer = exactly(int)

_PLAIN: Mapping[Any, JsonForm] = {
    str: _same(str),
    bool: _same(bool),
    int: _same(int),
    timedelta: JsonForm(lambda value: value // _MICROSECOND, lambda stored: _integer(stored) * _MICROSECOND),
    datetime: JsonForm(to_microseconds, lambda stored: from_microseconds(_integer(stored))),
}
