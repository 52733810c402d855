"""How long a token may live: a duration passed as a date, or the other way round, fails loudly."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from authsvc.errors import CallerForbidden, Reason
from authsvc.tokens.requests import ExpiresAt, NeverExpires, Seconds, Ttl
from tests.tokens.service import Service, payload_of, violations

DAY = 86_400


@pytest.fixture(scope="module")
def app(desk: Service) -> str:
    """An app with a default of two hours and a maximum of a day."""
    return desk.app(default_ttl=timedelta(hours=2), max_ttl=timedelta(days=1))


@pytest.fixture
def now(desk: Service) -> int:
    """The second the desk's clock stands in, well within it."""
    assert desk.clock().microsecond == 123456
    return int(desk.clock().timestamp())


def exp(service: Service, app: str, **fields: Any) -> int | None:
    value: int | None = payload_of(service.issue(app, **fields).minted.text).get("exp")
    return value


def test_the_default_is_the_app_s(desk: Service, app: str, now: int) -> None:
    """Without a lifetime in the request the app's default holds."""
    assert exp(desk, app) == now + 7200


@pytest.mark.parametrize("ttl", [1, 60, DAY - 1, DAY])
def test_a_ttl_counts_from_now(desk: Service, app: str, now: int, ttl: int) -> None:
    """A ttl of 1 second to the app's maximum is added to now."""
    assert exp(desk, app, lifetime=Ttl(Seconds(ttl))) == now + ttl


@pytest.mark.parametrize("ahead", [1, 60, DAY - 1, DAY])
def test_a_moment_is_the_expiry(desk: Service, app: str, now: int, ahead: int) -> None:
    """A moment up to the app's maximum ahead is the expiry itself."""
    assert exp(desk, app, lifetime=ExpiresAt(Seconds(now + ahead))) == now + ahead


@pytest.mark.parametrize(
    ("seconds", "nanos"), [(0, 0), (-1, 0), (-(2**62), 0), (0, 1), (1, 1), (60, 500_000_000), (60, -1), (60, 10**9)]
)
def test_no_ttl(desk: Service, app: str, seconds: int, nanos: int) -> None:
    """A ttl of nothing, of less, or of a part of a second is refused."""
    refused = violations(desk, app, lifetime=Ttl(Seconds(seconds, nanos)))
    assert {field: violation.reason for field, violation in refused.items()} == {"ttl": Reason.INVALID_REQUEST}


@pytest.mark.parametrize("ttl", [DAY + 1, 3600 * 1000, 1_795_000_000, 2**62])
def test_a_ttl_beyond_the_maximum(desk: Service, app: str, ttl: int) -> None:
    """A ttl beyond the app's maximum, as milliseconds or a date would be, says TTL_TOO_LONG and the maximum."""
    refused = violations(desk, app, lifetime=Ttl(Seconds(ttl)))
    assert {field: violation.reason for field, violation in refused.items()} == {"ttl": Reason.TTL_TOO_LONG}
    assert "86400 seconds" in refused["ttl"].description


@pytest.mark.parametrize(("seconds", "nanos"), [(0, 0), (-1, 0), (0, 1), (1, 1), (1, 999_999_999)])
def test_no_moment(desk: Service, app: str, now: int, seconds: int, nanos: int) -> None:
    """A moment that is now, past, or within a second is refused."""
    refused = violations(desk, app, lifetime=ExpiresAt(Seconds(now + seconds, nanos)))
    assert {field: violation.reason for field, violation in refused.items()} == {"expires_at": Reason.INVALID_REQUEST}


@pytest.mark.parametrize("moment", [0, 60, 3600, -(2**62)])
def test_a_duration_passed_as_a_date(desk: Service, app: str, moment: int) -> None:
    """A moment in 1970 is past, and refused."""
    assert list(violations(desk, app, lifetime=ExpiresAt(Seconds(moment)))) == ["expires_at"]


def test_a_moment_beyond_the_maximum(desk: Service, app: str, now: int) -> None:
    """A moment beyond the app's maximum, as one in milliseconds is, says TTL_TOO_LONG."""
    for moment in (now + DAY + 1, now * 1000, 2**62):
        refused = violations(desk, app, lifetime=ExpiresAt(Seconds(moment)))
        assert {field: violation.reason for field, violation in refused.items()} == {"expires_at": Reason.TTL_TOO_LONG}


def test_for_ever_where_it_is_allowed(desk: Service, app: str) -> None:
    """A token without expiry is made where the app allows it, and verifies there long after."""
    lenient = desk.app(allow_never_expires=True)
    issued = desk.issue(lenient, lifetime=NeverExpires(True))
    assert "exp" not in payload_of(issued.minted.text)
    assert desk.validate(lenient, issued.minted.text).active
    with pytest.raises(CallerForbidden) as refused:
        desk.issue(app, lifetime=NeverExpires(True))
    assert refused.value.reason is Reason.NEVER_EXPIRES_NOT_ALLOWED


def test_for_ever_said_with_no(desk: Service, app: str) -> None:
    """`never_expires: false` is a mistake, also where it would be allowed."""
    for name in (app, desk.app(allow_never_expires=True)):
        assert list(violations(desk, name, lifetime=NeverExpires(False))) == ["never_expires"]


def test_a_token_of_one_second_is_good_for_one(service: Service) -> None:
    """The shortest token is accepted, and over with the end of its second and the skew."""
    app = service.app(clock_skew=timedelta(0))
    text = service.issue(app, lifetime=Ttl(Seconds(1))).minted.text
    assert service.validate(app, text).active
    service.clock.move(seconds=1)
    assert service.validate(app, text).status == "EXPIRED"
