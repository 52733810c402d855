"""Wishes for settings as the wire decodes them, and what is said against them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from authsvc.apps.requests import SETTINGS, Span, Wish, Wishes
from authsvc.errors import InvalidRequest

SECOND = timedelta(seconds=1)


def wishes(**named: Wish) -> Wishes:
    """Wishes for those settings, and none for all others."""
    return {**dict.fromkeys(SETTINGS), **named}


def a_span(length: timedelta) -> Span:
    """A duration of whole seconds, as the wire has it."""
    assert length % SECOND == timedelta(0)
    return Span(length // SECOND)


def faults_of(attempt: Callable[[], object]) -> list[str]:
    """The fields that the refusal names, in its order; fails the test when it was not refused."""
    with pytest.raises(InvalidRequest) as refused:
        attempt()
    return [violation.field for violation in refused.value.violations]
