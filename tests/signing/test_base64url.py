"""One sequence of bytes, one text."""

from __future__ import annotations

import itertools
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.signing import base64url
from tests.properties import QUICK

ALPHABET = string.ascii_letters + string.digits + "-_"
# The alphabet, and what lenient decoders take besides it.
TEMPTING = ALPHABET + "+/=. \n\t\0%,~\u212a\uff21"


def accepted(text: str) -> bool:
    try:
        base64url.decode(text)
    except ValueError:
        return False
    return True


@QUICK
@given(st.binary(max_size=100))
def test_bytes_survive(raw: bytes) -> None:
    """Encoding and decoding gives the same bytes back."""
    assert base64url.decode(base64url.encode(raw)) == raw


@QUICK
@given(st.binary(max_size=40), st.data())
def test_no_second_text_is_accepted(raw: bytes, data: st.DataObject) -> None:
    """A text that was changed in any way is refused, or is the one text of other bytes."""
    text = base64url.encode(raw)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 2)))
    changed = text[:start] + data.draw(st.text(TEMPTING, max_size=3)) + text[end:]
    if accepted(changed):
        assert base64url.encode(base64url.decode(changed)) == changed
        assert changed == text or base64url.decode(changed) != raw


@pytest.mark.parametrize(("length", "expected"), [(0, 1), (1, 0), (2, 256)])
def test_as_many_short_texts_as_bytes(length: int, expected: int) -> None:
    """Of all texts of that length exactly as many are accepted as there are byte strings to tell apart."""
    texts = map("".join, itertools.product(TEMPTING, repeat=length))
    assert sum(map(accepted, texts)) == expected


def test_as_many_endings_as_bytes() -> None:
    """Of all texts `A??` exactly one for each of the 1,024 endings of two bytes is accepted."""
    texts = ["A" + "".join(rest) for rest in itertools.product(TEMPTING, repeat=2)]
    assert sum(map(accepted, texts)) == 1024


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Zm8=", id="padding"),
        pytest.param("Zm8==", id="too much padding"),
        pytest.param("Zm9v====", id="padding of nothing"),
        pytest.param("-+-_", id="standard plus"),
        pytest.param("-/-_", id="standard slash"),
        pytest.param(" Zm9v", id="leading space"),
        pytest.param("Zm9v\n", id="trailing newline"),
        pytest.param("Zm\r\n9v", id="line break within"),
        pytest.param("Zm9v\0", id="NUL"),
        pytest.param("Zm%39v", id="percent"),
        pytest.param("Zm9v.", id="dot"),
        pytest.param("Zm9", id="stray bits, 2 bytes"),
        pytest.param("Zn", id="stray bits, 1 byte"),
        pytest.param("Z", id="impossible length"),
        pytest.param("Zm9vZ", id="impossible length after a block"),
        pytest.param("Ζm9v", id="Greek capital zeta"),
        pytest.param("\uff3am9v", id="full-width Z"),
        pytest.param("Zm9\ud800", id="lone surrogate"),
        pytest.param("Zm9\u0131", id="dotless i"),
    ],
)
def test_refused(text: str) -> None:
    """What another decoder might read as `Zm9v`, `Zm8`, `Zg` or `----` is refused, and those are not."""
    assert not accepted(text)
    assert all(map(accepted, ("Zm9v", "Zm8", "Zg", "--__")))
