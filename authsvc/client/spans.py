"""Spans of time that a program gives: a number is refused, as it does not say what it counts."""

from __future__ import annotations

from datetime import timedelta


def span(name: str, given: timedelta) -> timedelta:
    """The span; raises ``TypeError`` for what is none."""
    if not isinstance(given, timedelta):
        raise TypeError(f"{name} is a timedelta, timedelta(seconds=5) say, not {type(given).__name__}")
    return given


def positive(name: str, given: timedelta) -> timedelta:
    """The span; raises ``ValueError`` for one that leaves no time, ``TypeError`` for what is none."""
    if span(name, given) <= timedelta(0):
        raise ValueError(f"{name} is more than 0")
    return given
