"""How values are shown to people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.struct_pb2 import Struct

from authsvc.cli.words import enum_word, harmless, moment_words, struct_words
from authsvc.v1.auth_pb2 import TOKEN_STATUS_EXPIRED, ValidateTokenResponse

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Sara Åström 😀 [bold]", "Sara Åström 😀 [bold]"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("two\nlines\r\t", "two\\nlines\\r\\t"),
        ("\u202eright to left", "\\u202eright to left"),
        ("\x9b1m\x7f\ud800", "\\x9b1m\\x7f\\ud800"),
    ],
)
def test_nothing_that_a_terminal_obeys_is_shown(text: str, shown: str) -> None:
    """Names are chosen by others: what is not printable is escaped, everything else stays."""
    assert harmless(text) == shown


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (timedelta(0), "now"),
        (timedelta(milliseconds=-900), "now"),
        (timedelta(seconds=59), "in 59s"),
        (timedelta(minutes=59, seconds=55), "in 59m55s"),
        (timedelta(hours=-3, seconds=-1), "3h ago"),
        (timedelta(days=13, hours=23, minutes=59), "in 13d23h"),
    ],
)
def test_a_moment_says_how_far_it_is(ahead: timedelta, words: str) -> None:
    """The time in UTC, and the distance in two units at most."""
    shown = moment_words(NOW + ahead, NOW)
    assert shown.endswith(f" UTC ({words})")
    assert shown.startswith("2026-")


def test_whole_numbers_of_a_struct_are_whole() -> None:
    """Custom data reads as it was given, although a Struct knows floating point only."""
    struct = Struct()
    struct.update({"a": 1, "b": [1.5, {"c": 2}], "d": None, "e": True})
    assert struct_words(struct).replace(" ", "").count(".") == 1


def test_an_enum_value_of_a_newer_server_is_shown_by_its_number() -> None:
    """A name is shown without its prefix, and an unknown value does not fail the command."""
    known = ValidateTokenResponse(status=TOKEN_STATUS_EXPIRED)
    unknown = ValidateTokenResponse()
    unknown.ParseFromString(b"\x10\x63")  # status = 99
    assert (enum_word(known, "status"), enum_word(unknown, "status")) == ("EXPIRED", "99")
