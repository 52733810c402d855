"""Time: each moment is judged by the injected clock, to the microsecond, with the app's skew."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from authsvc.model import TokenStatus
from tests.verify.workshop import NOW, START, FirstLook, claims, token

S = TokenStatus
MICROSECOND = timedelta(microseconds=1)
SKEWS = pytest.mark.parametrize("skew", [timedelta(0), timedelta(seconds=30), timedelta(seconds=120)], ids=str)


def at(judge: FirstLook, moment: datetime, text: str) -> TokenStatus:
    judge.world.clock.now = moment
    return judge.status(text)


@SKEWS
def test_a_token_ends_at_exp_and_skew(judge: FirstLook, skew: timedelta) -> None:
    """A token is good until a microsecond before exp + skew and EXPIRED from exp + skew on."""
    judge.world.settings(clock_skew=skew)
    text, end = token(claims(exp=NOW + 600)), START + timedelta(seconds=600) + skew
    assert at(judge, end - MICROSECOND, text) is S.ACTIVE
    assert at(judge, end, text) is S.EXPIRED
    assert at(judge, end + timedelta(days=400), text) is S.EXPIRED


@SKEWS
def test_a_token_begins_at_nbf_less_skew(judge: FirstLook, skew: timedelta) -> None:
    """A token is NOT_YET_VALID until a microsecond before nbf - skew and good from nbf - skew on."""
    judge.world.settings(clock_skew=skew)
    text, begin = token(claims(iat=NOW - 900, nbf=NOW + 600)), START + timedelta(seconds=600) - skew
    assert at(judge, begin - MICROSECOND, text) is S.NOT_YET_VALID
    assert at(judge, begin, text) is S.ACTIVE


@SKEWS
def test_a_token_from_the_future(judge: FirstLook, skew: timedelta) -> None:
    """A token is ISSUED_IN_FUTURE until a microsecond before iat - skew and good from iat - skew on."""
    judge.world.settings(clock_skew=skew)
    text, begin = token(claims(iat=NOW + 600)), START + timedelta(seconds=600) - skew
    assert at(judge, begin - MICROSECOND, text) is S.ISSUED_IN_FUTURE
    assert at(judge, begin, text) is S.ACTIVE


def test_exp_now_without_skew_is_over(judge: FirstLook) -> None:
    """Without skew a token whose exp is this second is over."""
    judge.world.settings(clock_skew=timedelta(0))
    assert judge.status(token(claims(exp=NOW))) is S.EXPIRED
    assert judge.status(token(claims(exp=NOW + 1))) is S.ACTIVE


@pytest.mark.parametrize("distance", [0, 1, 5])
def test_exp_lies_after_iat(judge: FirstLook, distance: int) -> None:
    """A token that ends before it was issued, or in the same second, says nothing that can be."""
    assert judge.status(token(claims(iat=NOW, exp=NOW - distance))) is S.CLAIM_INVALID
    assert judge.status(token(claims(iat=NOW, exp=NOW + 1))) is S.ACTIVE


def test_the_largest_time(judge: FirstLook) -> None:
    """2^53 seconds can be said and one more cannot, and neither is compared in a way that fails."""
    assert judge.status(token(claims(exp=2**53))) is S.ACTIVE
    assert judge.status(token(claims(exp=2**53 + 1))) is S.CLAIM_INVALID
    assert judge.status(token(claims(nbf=2**53))) is S.NOT_YET_VALID


def test_the_earliest_time(judge: FirstLook) -> None:
    """1970 is a time like any other, and nothing lies before it."""
    assert judge.status(token(claims(iat=0, nbf=0))) is S.ACTIVE
    assert judge.status(token(claims(iat=-1))) is S.CLAIM_INVALID


def test_the_zone_of_the_clock_does_not_matter(judge: FirstLook) -> None:
    """The same moment shown by a clock elsewhere gives the same verdict."""
    text, end = token(claims(exp=NOW + 600)), START + timedelta(seconds=630)
    for hours in (-11, 0, 14):
        zone = timezone(timedelta(hours=hours))
        assert at(judge, (end - MICROSECOND).astimezone(zone), text) is S.ACTIVE
        assert at(judge, end.astimezone(zone), text) is S.EXPIRED


def test_the_wall_clock_has_no_say(judge: FirstLook) -> None:
    """A verifier whose clock stands in another century judges by that one."""
    century = timedelta(days=36525)
    then = int((START + century).timestamp())
    text = token(claims(iat=then - 5, exp=then + 60))
    assert at(judge, START + century, text) is S.ACTIVE
    assert at(judge, START, text) is S.ISSUED_IN_FUTURE


def test_a_clock_that_goes_back_revives_and_ends_by_its_own_time(judge: FirstLook) -> None:
    """An expired token shown again after the clock was set back is judged by the new time alone."""
    text = token(claims(iat=NOW - 600, exp=NOW + 600))
    assert at(judge, START + timedelta(hours=1), text) is S.EXPIRED
    assert at(judge, START, text) is S.ACTIVE
