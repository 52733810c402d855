"""Reading JSON: what two parsers could read differently is refused, and its nearest harmless twin is not."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.signing import strict_json
from authsvc.signing.strict_json import MAX_DEPTH, MAX_MEMBERS, JsonObject, read_closely, read_object
from tests.properties import QUICK
from tests.signing.test_strict_json_writing import OBJECTS


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    """An object around so many more that the whole is ``depth`` deep."""
    return b'{"a":' + opening * (depth - 1) + closing * (depth - 1) + b"}"


def nested_objects(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


def wide(members: int) -> bytes:
    return b"{" + b",".join(b'"m%d":0' % number for number in range(members)) + b"}"


REFUSED_AND_TWIN = {
    "duplicate name": (b'{"a":1,"a":1}', b'{"a":1,"b":1}'),
    "duplicate name, once escaped": (b'{"a":1,"\\u0061":2}', b'{"a":1,"\\u0062":2}'),
    "duplicate name, both escaped": (b'{"\\u0061":1,"\\u0061":2}', b'{"\\u0061":1,"\\u0041":2}'),
    "duplicate name, escaped pair": (
        b'{"\xf0\x9f\x98\x80":1,"\\ud83d\\ude00":2}',
        b'{"\xf0\x9f\x98\x80":1,"\\ud83d\\ude01":2}',
    ),
    "duplicate empty name": (b'{"":1,"":1}', b'{"":1," ":1}'),
    "duplicate in an object": (b'{"o":{"a":1,"a":1}}', b'{"o":{"a":1},"a":1}'),
    "duplicate in a list": (b'{"o":[1,{"a":1,"a":1}]}', b'{"o":[{"a":1},{"a":1}]}'),
    "duplicate at the deepest level": (
        b'{"1":{"2":{"3":{"4":{"5":{"6":{"7":{"a":1,"\\u0061":1}}}}}}}}',
        b'{"1":{"2":{"3":{"4":{"5":{"6":{"7":{"a":1,"b":1}}}}}}}}',
    ),
    "NaN": (b'{"a":NaN}', b'{"a":"NaN"}'),
    "Infinity": (b'{"a":Infinity}', b'{"a":"Infinity"}'),
    "-Infinity": (b'{"a":-Infinity}', b'{"a":"-Infinity"}'),
    "a number no double holds": (b'{"a":1e400}', b'{"a":1e308}'),
    "a negative number no double holds": (b'{"a":-1e400}', b'{"a":-1e308}'),
    "a fraction no double holds": (b'{"a":1' + b"0" * 400 + b".5}", b'{"a":1' + b"0" * 300 + b".5}"),
    "an integer no double holds": (b'{"a":1' + b"0" * 309 + b"}", b'{"a":1' + b"0" * 308 + b"}"),
    "a negative integer no double holds": (b'{"a":-1' + b"0" * 309 + b"}", b'{"a":-1' + b"0" * 308 + b"}"),
    "an integer of 5,000 digits": (b'{"a":' + b"9" * 5000 + b"}", b'{"a":' + b"9" * 300 + b"}"),
    "UTF-8 with a byte order mark": (b"\xef\xbb\xbf{}", b"{}"),
    "a byte order mark within": (b'{\xef\xbb\xbf"a":1}', b'{"a\xef\xbb\xbf":1}'),
    "UTF-16": ('{"a":1}'.encode("utf-16"), b'{"a":1}'),
    "UTF-16, no mark, little end first": ('{"a":1}'.encode("utf-16-le"), b'{"a":1}'),
    "UTF-16, no mark, big end first": ('{"a":1}'.encode("utf-16-be"), b'{"a":1}'),
    "UTF-32": ('{"a":1}'.encode("utf-32-le"), b'{"a":1}'),
    "Latin-1": ('{"a":"é"}'.encode("latin-1"), '{"a":"é"}'.encode()),
    "overlong UTF-8": (b'{"a":"\xc1\xa1"}', b'{"a":"a"}'),
    "a surrogate in UTF-8": (b'{"a":"\xed\xa0\x80"}', b'{"a":"\xed\x9f\xbf"}'),
    "past the last code point": (b'{"a":"\xf4\x90\x80\x80"}', b'{"a":"\xf4\x8f\xbf\xbf"}'),
    "a lone high surrogate": (b'{"a":"\\ud800"}', b'{"a":"\\ud800\\udc00"}'),
    "a lone low surrogate": (b'{"a":"\\udc00"}', b'{"a":"\\u0c00"}'),
    "surrogates in the wrong order": (b'{"a":"\\ude00\\ud83d"}', b'{"a":"\\ud83d\\ude00"}'),
    "a lone surrogate as a name": (b'{"\\ud800":1}', b'{"\\ud800\\udc00":1}'),
    "a lone surrogate deep within": (b'{"a":[{"b":["\\udfff"]}]}', b'{"a":[{"b":["\\u0fff"]}]}'),
    "a trailing letter": (b"{}x", b"{}"),
    "a trailing space": (b"{} ", b"{ }"),
    "a trailing newline": (b"{}\n", b"{\n}"),
    "a trailing NUL": (b"{}\0", b"{}"),
    "a second object": (b"{}{}", b'{"a":{}}'),
    "a leading space": (b" {}", b"{ }"),
    "a list": (b"[]", b'{"a":[]}'),
    "a text": (b'"{}"', b'{"a":"{}"}'),
    "a number": (b"1", b'{"a":1}'),
    "null": (b"null", b'{"a":null}'),
    "nothing": (b"", b"{}"),
    "a comment": (b'{/**/"a":1}', b'{"/**/a":1}'),
    "single quotes": (b"{'a':1}", b'{"a":1}'),
    "a trailing comma": (b'{"a":1,}', b'{"a":1}'),
    "no colon": (b'{"a" 1}', b'{"a": 1}'),
    "not closed": (b'{"a":1', b'{"a":1}'),
    "a leading zero": (b'{"a":01}', b'{"a":0.1}'),
    "a plus sign": (b'{"a":+1}', b'{"a":1e+1}'),
    "no digit before the point": (b'{"a":.5}', b'{"a":0.5}'),
    "no digit after the point": (b'{"a":1.}', b'{"a":1.0}'),
    "hexadecimal": (b'{"a":0x1}', b'{"a":"0x1"}'),
    "full-width digits": ('{"a":１}'.encode(), '{"a":"１"}'.encode()),
    "a control character in a text": (b'{"a":"\n"}', b'{"a":"\\n"}'),
    "a NUL in a name": (b'{"a\0":1}', b'{"a\\u0000":1}'),
    "an unknown escape": (b'{"a":"\\x61"}', b'{"a":"\\u0061"}'),
    "lists too deep": (nested(MAX_DEPTH + 1), nested(MAX_DEPTH)),
    "objects too deep": (nested_objects(MAX_DEPTH + 1), nested_objects(MAX_DEPTH)),
    "both in turn too deep": (nested(MAX_DEPTH + 1, b'[{"a":', b"}]"), nested(MAX_DEPTH // 2, b'[{"a":1},[', b"]]")),
    "200,000 lists deep": (nested(200_000), nested(MAX_DEPTH)),
    "200,000 objects deep": (nested_objects(200_000), nested_objects(MAX_DEPTH)),
    "too many members": (wide(MAX_MEMBERS + 1), wide(MAX_MEMBERS)),
    "too many members within": (b'{"a":' + wide(MAX_MEMBERS + 1) + b"}", b'{"a":' + wide(MAX_MEMBERS) + b"}"),
    "100,000 members": (wide(100_000), wide(MAX_MEMBERS)),
}


READERS = {"both": read_object, "standard library alone": read_closely}
Read = Callable[[bytes], JsonObject]


@pytest.fixture(params=READERS)
def read(request: pytest.FixtureRequest) -> Read:
    """The way to read, and the longer one behind it."""
    return READERS[request.param]


@pytest.mark.parametrize(("refused", "twin"), REFUSED_AND_TWIN.values(), ids=REFUSED_AND_TWIN.keys())
def test_refused_beside_its_twin(read: Read, refused: bytes, twin: bytes) -> None:
    """The text is refused, and what differs from it only in the fault is read."""
    assert isinstance(read(twin), dict)
    with pytest.raises(ValueError):
        read(refused)


@QUICK
@given(OBJECTS, st.integers(0, 300), st.binary(max_size=2), st.booleans())
def test_the_fast_reader_reads_nothing_else(value: JsonObject, place: int, other: bytes, plain: bool) -> None:
    """Whatever it reads of a text, damaged anywhere or not, the standard library reads the same, types and all."""
    text = json.dumps(value, ensure_ascii=plain, separators=(",", ":")).encode()
    for raw in (text, text[:place] + other + text[place + len(other) :], text[:place] + other + text[place:]):
        found = strict_json._read_exactly(raw)
        assert found is None or repr(found) == repr(read_closely(raw))


def test_the_fast_reader_reads_what_we_mint() -> None:
    """A payload of ours without a custom part is read by it: otherwise nothing would be gained."""
    raw = b'{"exp":1795246007,"iat":1795242402,"iss":"authsvc","jti":"AAAA","sub":"user/sara","user_id":"sara"}'
    assert strict_json._read_exactly(raw) == read_closely(raw)


def test_values_are_read_as_what_they_are(read: Read) -> None:
    """Integers stay integers, whole floats stay floats, and the order of members is kept."""
    members = read('{"z":1,"a":1.0,"t":true,"n":null,"s":"é\\u00e9","l":[{}]}'.encode())
    assert [(name, type(value), value) for name, value in members.items()] == [
        ("z", int, 1),
        ("a", float, 1.0),
        ("t", bool, True),
        ("n", type(None), None),
        ("s", str, "éé"),
        ("l", list, [{}]),
    ]
