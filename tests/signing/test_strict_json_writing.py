"""Writing JSON: one ASCII text, whose base64url text the lenient decoders of others read too."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.signing import base64url
from authsvc.signing.strict_json import read_object, write_flat, write_object
from tests.properties import QUICK

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text('>?~\x7f\\"u007e-_', max_size=8)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def depth_of(value: object) -> int:
    if isinstance(value, dict | list):
        return 1 + max(map(depth_of, value.values() if isinstance(value, dict) else value), default=0)
    return 0


OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=8).filter(lambda value: depth_of(value) <= 8)


@QUICK
@given(OBJECTS)
def test_what_is_written_is_read_again(value: dict[str, object]) -> None:
    """Reading what was written gives an equal value."""
    assert read_object(write_object(value)) == value


@QUICK
@given(OBJECTS)
def test_its_base64url_text_has_no_minus_and_no_underscore(value: dict[str, object]) -> None:
    """The base64url text of any written object consists of letters and digits alone."""
    assert base64url.encode(write_object(value)).isalnum()


@QUICK
@given(st.dictionaries(TEXTS, TEXTS | st.integers() | st.lists(TEXTS, max_size=3).map(tuple), max_size=8))
def test_what_is_flat_is_written_as_all_else(value: dict[str, str | int | tuple[str, ...]]) -> None:
    """The fast way gives the same bytes, whatever the texts hold and however large the numbers are."""
    assert write_flat(value) == write_object(value)


def test_half_a_surrogate_pair_is_written_in_the_same_form_too() -> None:
    """What no UTF-8 can hold takes the long way."""
    assert write_flat({"a": "\ud800"}) == write_object({"a": "\ud800"}) == b'{"a":"\\ud800"}'


def test_which_characters_would_break_that() -> None:
    """Without the escapes each of `> ? ~ DEL` puts `-` or `_` into a base64url text, at one of three places."""
    for character in b">?~\x7f":
        assert any(not base64url.encode(b"a" * before + bytes([character])).isalnum() for before in range(3))


@QUICK
@given(OBJECTS)
def test_ascii_sorted_and_dense(value: dict[str, object]) -> None:
    """The text is ASCII without white space between tokens, and names come in the order of their code points."""
    written = write_object(value)
    assert written.isascii()
    names = list(read_object(written))
    assert names == sorted(names)
    assert write_object({"b": [1, {"d": 1, "c": 2}], "a": None}) == b'{"a":null,"b":[1,{"c":2,"d":1}]}'


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_no_number_that_is_none(number: float) -> None:
    """NaN and infinities are refused, at any depth."""
    with pytest.raises(ValueError):
        write_object({"a": [{"b": number}]})


@pytest.mark.parametrize("value", [{"a": b"bytes"}, {"a": {1, 2}}, {"a": object()}])
def test_no_value_that_is_not_json(value: dict[str, object]) -> None:
    """What JSON has no form for is not written in some form."""
    with pytest.raises((TypeError, ValueError)):
        write_object(value)
