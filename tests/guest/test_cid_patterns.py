"""Patterns of cids: which texts are patterns, and what each opens."""

from __future__ import annotations

import pytest

from authsvc.verify.cid_patterns import is_open, is_pattern
from authsvc.verify.identifiers import is_cid


@pytest.mark.parametrize(
    "text",
    ["livestream:*", "livestream:public-*", "livestream:lobby", "a:!x*", f"{'t' * 64}:{'i' * 127}*", f"a:{'i' * 128}"],
)
def test_these_are_patterns(text: str) -> None:
    """A type, a colon, and an id that is whole, a star, or a beginning with a star."""
    assert is_pattern(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*:*",
        "livestream",
        "livestream:",
        ":*",
        "live*:x",
        "livestream:*x",
        "livestream:a*b",
        "livestream:**",
        "livestream:a*b*",
        "livestream:?",
        "livestream:[a-z]",
        "livestream:.*",
        "livestream: *",
        "livestream:*\n",
        "livéstream:*",
        "a:b:*",
        f"{'t' * 65}:*",
        f"a:{'i' * 128}*",
        f"a:{'i' * 129}",
    ],
)
def test_these_are_not(text: str) -> None:
    """No pattern opens every type, and a star stands at the end alone."""
    assert not is_pattern(text)


@pytest.mark.parametrize(
    ("cid", "pattern"),
    [
        ("livestream:x", "livestream:*"),
        ("livestream:*"[:-1] + "!members", "livestream:*"),
        ("livestream:public-", "livestream:public-*"),
        ("livestream:public-1", "livestream:public-*"),
        ("livestream:lobby", "livestream:lobby"),
    ],
)
def test_a_pattern_opens_what_it_says(cid: str, pattern: str) -> None:
    """A cid is open by the one pattern that fits, wherever that stands among others."""
    assert is_cid(cid)
    assert is_open(cid, [pattern])
    assert is_open(cid, ["other:*", pattern, "another:x"])


@pytest.mark.parametrize(
    ("cid", "pattern"),
    [
        ("livestream2:x", "livestream:*"),
        ("xlivestream:x", "livestream:*"),
        ("Livestream:x", "livestream:*"),
        ("livestream:publi", "livestream:public-*"),
        ("livestream:Public-1", "livestream:public-*"),
        ("livestream:lobby2", "livestream:lobby"),
        ("livestream:lobb", "livestream:lobby"),
        ("live-stream:x", "live_stream:*"),
    ],
)
def test_a_pattern_opens_nothing_else(cid: str, pattern: str) -> None:
    """Another type, another case, or an id that only looks alike stays closed."""
    assert is_cid(cid)
    assert is_pattern(pattern)
    assert not is_open(cid, [pattern])


def test_without_patterns_nothing_is_open() -> None:
    """An app that lists no pattern opens nothing."""
    assert not is_open("livestream:x", ())
