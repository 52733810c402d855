"""What storage tests share: a clock that is set by hand, and a store in an empty place."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.storage.contract", "tests.storage.places", "tests.storage.crowd")

from authsvc.storage.base import Store  # noqa: E402 - after the registration above
from tests.storage.places import Place, SettableClock  # noqa: E402


@pytest.fixture
def clock() -> SettableClock:
    """A clock that stands still until it is told otherwise."""
    return SettableClock()


@pytest.fixture
def store(place: Place, clock: SettableClock) -> Store:
    """An open store in an empty place, on that clock."""
    return place.open(clock=clock)
