"""When a token is renewed, and how long to wait after failures."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.client.tokens.access_token import read_access_token
from authsvc.client.tokens.pace import Pace, Span, span_of
from tests.client.tokens.made import made_token

FRACTIONS = st.floats(0, 1, exclude_max=True)


def test_a_fresh_token_is_renewed_at_four_fifths_of_its_life() -> None:
    """On average at 80 %, never before 75 % nor after 85 %."""
    assert [Pace().renewal(3600, 3600, chance) for chance in (0, 0.5, 1)] == pytest.approx([2700, 2880, 3060])


def test_the_life_begins_when_the_token_was_issued() -> None:
    """A token that was shown late is renewed when 80 % of its life are over, not of what is left."""
    assert Pace().renewal(3600, 1800, 0.5) == pytest.approx(1080)


@given(life=st.floats(1, 1e8), part=st.floats(0.001, 1), chance=FRACTIONS)
def test_a_renewal_is_always_ahead(life: float, part: float, chance: float) -> None:
    """However late in its life a token comes, it is renewed later than now and before its end."""
    left = life * part
    assert 0 < Pace().renewal(life, left, chance) < left


def test_pauses_double_up_to_the_longest() -> None:
    """With full jitter each pause is between nothing and its ceiling; the ceilings double and end at 25 s."""
    ceilings = [Pace().pause(failures, 1.0) for failures in range(1, 10)]
    assert ceilings == [0.5, 1, 2, 4, 8, 16, 25, 25, 25]
    assert Pace().pause(1_000_000, 1.0) == 25
    assert Pace().pause(3, 0.0) == 0


@pytest.mark.parametrize(
    ("claims", "span"),
    [
        ({}, None),
        ({"iat": 1000, "exp": 4600}, Span(3600, 3600)),
        ({"iat": 400, "exp": 4000}, Span(3600, 3000)),
        ({"exp": 1600}, Span(600, 600)),
        ({"iat": 5000, "exp": 8600}, Span(3600, 3600)),
        ({"iat": 100, "exp": 900}, Span(800, 800)),
        ({"exp": 900}, None),
        ({"iat": 2000, "exp": 1500}, None),
    ],
)
def test_the_span_of_a_token(claims: dict[str, int], span: Span | None) -> None:
    """Issued now, a while ago, without `iat`; and by a clock that differs from ours: then the whole life lies ahead."""
    assert span_of(read_access_token(made_token("sara", **claims)), now=1000) == span


@pytest.mark.parametrize(
    "bounds", [{"share": 0.02}, {"share": 0.97}, {"attempts": 0}, {"provider_timeout": timedelta(0)}]
)
def test_a_pace_that_means_nothing_is_refused(bounds: dict[str, Any]) -> None:
    """Renewals before the beginning or after the end, and providers that are never asked."""
    with pytest.raises(ValueError, match=r"a token is renewed|a provider is asked"):
        Pace(**bounds)
