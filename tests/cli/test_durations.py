"""Durations as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.cli.durations import duration_words, read_duration
from tests.properties import QUICK


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("1h", 3600),
        ("14d", 1_209_600),
        ("3600", 3600),
        ("0", 0),
        ("0s", 0),
        ("1d1h1m1s", 90061),
    ],
)
def test_durations_are_read(text: str, seconds: int) -> None:
    """A number and a unit, several from large to small, or plain seconds."""
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "s",
        "-1s",
        "1.5h",
        "1 h",
        "1h30",
        "30m1h",
        "1w",
        "1H",
        "¹s",
        "٣s",
        "soon",
        "1e3",
        "9999999999999",
        "999999999999d",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """What could be read in two ways, or not at all, is a mistake with a sentence."""
    with pytest.raises(ValueError, match=r"is not a duration|10,000 years"):
        read_duration(text)


@QUICK
@given(st.integers(min_value=0, max_value=315_576_000_000))
def test_what_is_shown_can_be_typed(seconds: int) -> None:
    """The words for a duration read back as the same duration."""
    assert read_duration(duration_words(timedelta(seconds=seconds))) == timedelta(seconds=seconds)
