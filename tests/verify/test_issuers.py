"""Issuers: today's, and those of the past while a token of theirs can live."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from authsvc.model import PastIssuer, TokenStatus
from tests.verify.workshop import ES_APP, HOUR, NOW, START, FirstLook, claims, elliptic_token, token

YES, NO = TokenStatus.ACTIVE, TokenStatus.ISSUER_MISMATCH
LIFE = timedelta(hours=24, seconds=30)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def moved(judge: FirstLook) -> FirstLook:
    """The app minted as `oldest`, then as `older`, and does so as `newest` since now."""
    judge.world.settings(issuer="newest")
    judge.world.edit(past_issuers=(PastIssuer("older", START), PastIssuer("oldest", START - timedelta(hours=10))))
    return judge


def long_token(issuer: str) -> str:
    return token(claims(iss=issuer, exp=NOW + 1000 * HOUR))


@pytest.mark.parametrize(
    ("issuer", "expected"), [("newest", YES), ("older", YES), ("oldest", YES), ("authsvc", NO), ("new", NO)]
)
def test_three_issuers_are_accepted(moved: FirstLook, issuer: str, expected: TokenStatus) -> None:
    """Tokens of today's issuer and of the past ones are accepted, and of no other."""
    assert moved.status(long_token(issuer)) is expected


@pytest.mark.parametrize(("issuer", "ends"), [("older", START + LIFE), ("oldest", START + LIFE - timedelta(hours=10))])
def test_a_past_issuer_ends_with_its_last_token(moved: FirstLook, issuer: str, ends: datetime) -> None:
    """A past issuer is accepted for the longest lifetime and the skew after its end, to the microsecond."""
    moved.world.clock.now = ends - MICROSECOND
    assert moved.status(long_token(issuer)) is YES
    moved.world.clock.now += MICROSECOND
    assert moved.status(long_token(issuer)) is NO
    assert moved.status(long_token("newest")) is YES


def test_the_lifetime_counted_is_the_longest_there_ever_was(moved: FirstLook) -> None:
    """Shortening lifetimes does not end a past issuer early; what counts is the longest ever allowed."""
    moved.world.settings(max_ttl=timedelta(minutes=1), default_ttl=timedelta(minutes=1))
    moved.world.clock.now = START + LIFE - MICROSECOND
    assert moved.status(long_token("older")) is YES


def test_where_tokens_live_for_ever_so_do_issuers(moved: FirstLook) -> None:
    """An app that ever minted tokens without expiry accepts its past issuers for ever."""
    moved.world.edit(ever_non_expiring=True)
    moved.world.clock.now = START + timedelta(days=20)
    assert moved.status(long_token("oldest")) is YES


def test_a_past_issuer_of_another_app(judge: FirstLook) -> None:
    """An issuer is accepted by the app that minted under it."""
    judge.world.edit(past_issuers=(PastIssuer("older", START),))
    assert judge.status(long_token("older")) is YES
    assert judge.status(elliptic_token(claims(iss="older")), api_key=ES_APP) is NO
