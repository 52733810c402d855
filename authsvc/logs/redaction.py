"""What an event may say: the names of its fields, and how a value of each type is shown."""

from __future__ import annotations

import re
from datetime import datetime
from enum import Enum
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from authsvc.logs.secret import HIDDEN, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Plain: TypeAlias = str | int | float | bool | None
"""What a field's value is by the time a sink sees it."""

FIELDS: Final = frozenset(
    {
        # one completion line per call
        "method", "code", "reason", "duration_ms", "principal", "app", "trace_id", "peer", "error_id",
        # who and what
        "api_key", "kid", "algorithm", "session_id", "user_id", "account_id", "request_id_hash",
        "revision", "generation", "outcome", "action",
        # the process and its surroundings
        "address", "behind_ms", "count", "detail", "elapsed_ms", "exception", "path_name", "pid", "setting",
        "sql_state", "target", "version",
    }
)  # fmt: skip
"""The only fields whose values are written. A name is added here when its values can never be,
or contain, a token or a secret; any other field is written as its name and `***`."""

RESERVED: Final = frozenset({"at", "level", "scope", "message", "tags"})
"""Names an event has by itself."""

MAX_TEXT: Final = 512
"""Characters of a text that are written: who calls us chooses some of them."""

# Callers do put one kind of value into another's place (a refresh token fits the alphabet of a
# user id, and a guest's id has a hint at its end), so a text in an allowed field that holds what
# looks like a credential is not shown either.
CREDENTIAL: Final = re.compile(r"\AeyJ|eyJ[A-Za-z0-9_-]{8,}\.|art1_|ask1_|Bearer |-----BEGIN ")
SHORTEST_CREDENTIAL: Final = 37
"""Characters: a UUID has one less, a token with any signature and 256 bits of secret have more."""

_FIELD_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,23}", re.ASCII)


def redact_into(event: dict[str, Any], fields: Mapping[str, object]) -> dict[str, Any]:
    """Add `fields` to `event` and return it: allowed fields as `shown`, of all others the name."""
    for name, value in fields.items():
        if name not in FIELDS:
            event[_safe_name(name)] = HIDDEN
        elif type(value) is str and len(value) < SHORTEST_CREDENTIAL:
            event[name] = value  # most fields of most events, at half the price of `shown`
        else:
            event[name] = shown(value)
    return event


def shown(value: object) -> Plain:
    """How `value` is written; never raises, never asks the value for its `repr` or `str`.

    Text, numbers, None as they are (bounded); enum members, UUIDs and datetimes as text;
    exceptions and classes as the class's name, as exceptions quote what they were given;
    bytes and secrets as `***`; any other object as the name of its type.
    """
    try:
        return _EXACT.get(type(value), _by_base)(value)
    except Exception:  # noqa: BLE001 - a log call must not fail for what it was given
        return HIDDEN


def _by_base(value: object) -> Plain:
    for base in type(value).__mro__:
        if base in _BASES:
            return _BASES[base](value)
    return _text(type(value).__name__)


def _safe_name(name: str) -> str:
    """The name of a field that is not allowed: hidden too where it cannot be one from our code."""
    if name in RESERVED:
        return name + "_"
    return name if _FIELD_NAME.fullmatch(name) else HIDDEN


def _text(value: str) -> str:
    if len(value) >= SHORTEST_CREDENTIAL and CREDENTIAL.search(value):
        return HIDDEN
    return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "..."


def _integer(value: int) -> Plain:
    # What JSON readers and the encoder hold; a larger one could be thousands of digits.
    return value if -(2**63) <= value < 2**63 else "int"


def _enum(member: Enum) -> Plain:
    return _text(member.value) if type(member.value) is str else member.name


def _unchanged(value: Plain) -> Plain:
    return value


def _hidden(_value: object) -> Plain:
    return HIDDEN


# A subclass of str or int is found in neither table unless it is an enum, and is written as the
# name of its type: nobody knows what it was made to hold.
_EXACT: Final[dict[type, Callable[[Any], Plain]]] = {
    str: _text,
    int: _integer,
    float: lambda value: value if isfinite(value) else str(value),
    bool: _unchanged,
    type(None): _unchanged,
}
_BASES: Final[dict[type, Callable[[Any], Plain]]] = {
    Enum: _enum,
    UUID: UUID.__str__,
    datetime: datetime.isoformat,
    BaseException: lambda fault: _text(type(fault).__name__),
    type: lambda cls: _text(cls.__name__),
    bytes: _hidden,
    bytearray: _hidden,
    memoryview: _hidden,
    Secret: _hidden,
}
