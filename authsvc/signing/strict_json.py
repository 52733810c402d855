"""JSON objects with one meaning: what two parsers could read differently is refused.

Reading: strict UTF-8, an object, no duplicate names at any depth (escaped ones too), finite numbers, no lone
surrogates, bounded depth and width (RFC 8259 leaves all of these open; RFC 7515 section 4 lets us refuse).
Writing: ASCII, keys sorted, ``> ? ~ DEL`` escaped, so that the base64url text of it holds neither ``-`` nor ``_``,
which two widely used decoders cannot read.

orjson does what has only one answer: it reads a text that is exactly what it would write of the value, which rules out
every second reading, and it writes members that are texts and whole numbers. All else is left to the standard library,
which is three times as slow.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import NoReturn

import orjson

MAX_DEPTH = 8
MAX_MEMBERS = 64
_SURELY_FINITE = 300  # digits

JsonObject = dict[str, object]


def read_object(raw: bytes) -> JsonObject:
    """Parse ``raw`` as one strict JSON object; raises ``ValueError`` for everything else."""
    value = _read_exactly(raw)
    return read_closely(raw) if value is None else value


def read_closely(raw: bytes) -> JsonObject:
    """As ``read_object``, by the standard library."""
    text = raw.decode("utf-8")  # UnicodeDecodeError is a ValueError
    if not text.startswith("{"):
        raise ValueError("not a JSON object")
    # What is too short for a number that no double holds need not have its numbers looked at.
    read = _read if len(text) > _SURELY_FINITE else _read_short
    try:
        value, end = read(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(value, dict) or end != len(text):
        raise ValueError("not a JSON object")
    if text.count("{") + text.count("[") > MAX_DEPTH:
        check_depth(value)
    if "\\u" in text:
        _refuse_lone_surrogates(value)
    return value


def write_object(value: Mapping[str, object]) -> bytes:
    """The one ASCII text of ``value``; raises ``ValueError`` for NaN and infinities."""
    return _escaped(_ENCODER.encode(value).encode("ascii"))


def write_flat(value: Mapping[str, object]) -> bytes:
    """What ``write_object`` writes, of members that are texts, whole numbers and lists of texts."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # half a surrogate pair, a number beyond 64 bits
        return write_object(value)
    return _escaped(text) if text.isascii() else write_object(value)


def check_depth(value: object, allowed: int = MAX_DEPTH) -> None:
    """Raise ``ValueError`` when objects and arrays nest deeper than ``allowed``, the outermost counting one."""
    if not isinstance(value, dict | list):
        return
    if allowed == 0:
        raise ValueError("nested too deep")
    for item in value.values() if isinstance(value, dict) else value:
        check_depth(item, allowed - 1)


def _escaped(text: bytes) -> bytes:
    # None of these four is part of JSON's own grammar: they occur inside strings only.
    return (
        text.replace(b">", rb"\u003e").replace(b"?", rb"\u003f").replace(b"~", rb"\u007e").replace(b"\x7f", rb"\u007f")
    )


def _read_exactly(raw: bytes) -> JsonObject | None:
    """The object, if this text is the one that is written of it; None: it is to be read closely.

    What was read is written again: a name that came twice, a number that is no double's shortest text, an escape that
    need not be would all be missed there. Every member has a colon, every level a bracket.
    """
    if raw.count(b":") > MAX_MEMBERS or raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        return None
    try:
        value = orjson.loads(raw)
    except ValueError:
        return None
    return value if isinstance(value, dict) and orjson.dumps(value) == raw else None


def _unique(pairs: list[tuple[str, object]]) -> JsonObject:
    if len(pairs) > MAX_MEMBERS:
        raise ValueError("too many members")
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate name")
    return members


def _no_constant(_: str) -> NoReturn:
    raise ValueError("not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("number out of range")
    return number


def _whole(text: str) -> int:
    # 10**400 is as infinite as 1e400 to a reader that has doubles only.
    if len(text) > _SURELY_FINITE:
        _finite(text)
    return int(text)


def _reader(parse_int: Callable[[str], int]) -> Callable[[str], tuple[object, int]]:
    """Reads one value, and says where it ends."""
    return json.JSONDecoder(
        object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, parse_int=parse_int
    ).raw_decode


def _refuse_lone_surrogates(value: JsonObject) -> None:
    # Only an escape can make one: the UTF-8 decoder refuses them in raw form.
    json.dumps(value, ensure_ascii=False).encode("utf-8")  # UnicodeEncodeError is a ValueError


# Made once: json.loads and json.dumps make a new one at each call that has options.
_read = _reader(_whole)
_read_short = _reader(int)
_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"))
