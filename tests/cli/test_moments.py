"""Moments as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import typer

from authsvc.cli.moments import read_moment, read_past_moment

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("15m", timedelta(minutes=15)),
        ("1h30m", timedelta(minutes=90)),
        ("60", timedelta(minutes=1)),
        ("2026-11-20T11:00:00Z", timedelta(hours=1)),
        ("2026-11-20T13:00:00+02:00", timedelta(hours=1)),
    ],
)
def test_how_long_ago_or_when(text: str, ago: timedelta) -> None:
    """Both ways of saying it mean the same moment."""
    moment = read_past_moment("--since", text, NOW)
    assert moment is not None
    assert moment.ToDatetime(UTC) == NOW - ago


def test_nothing_is_no_moment() -> None:
    """An option that is left out is not set."""
    assert read_past_moment("--since", None, NOW) is None


@pytest.mark.parametrize("text", ["", "soon", "-5m", "2026-11-20", "99999999d", "9999999999999999999"])
def test_anything_else_is_wrong_usage(text: str) -> None:
    """The sentence names the option and shows how to write a moment."""
    with pytest.raises(typer.BadParameter, match="2026-11-20T18:00:00Z"):
        read_past_moment("--since", text, NOW)
    with pytest.raises(typer.BadParameter, match="2026-11-20T18:00:00Z"):
        read_moment("--expires-at", text)
