"""Reading the audit: newest first, by any of its columns, and each caller only what is about its own apps."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from authsvc.errors import CallerForbidden, InvalidRequest, NotFound
from authsvc.model import ApiKey, AuditRow, Principal
from authsvc.operations.audit import AuditAdmin, AuditQuery, Moment
from tests.conftest import HandClock
from tests.tokens.revoking import revoke, target_of
from tests.tokens.service import Service, a_principal


@pytest.fixture
def admin(service: Service) -> AuditAdmin:
    """The use case under test."""
    return AuditAdmin(service.domain.view, service.store)


def listed(admin: AuditAdmin, service: Service, caller: Principal | None = None, **wanted: Any) -> list[AuditRow]:
    """All rows that the caller finds, in pages of two."""
    found: list[AuditRow] = []
    while True:
        before = found[-1].id if found else None
        page = admin.listed(caller or service.principal, AuditQuery(**wanted), before=before, limit=2)
        found += page
        if len(page) < 2:
            return found


def at(moment: datetime) -> Moment:
    """The moment as the wire has it."""
    whole = int(moment.timestamp())
    return Moment(whole, moment.microsecond * 1_000)


def actions(rows: list[AuditRow]) -> list[str]:
    return [row.event.action for row in rows]


@pytest.fixture
def apps(service: Service, clock: HandClock) -> tuple[ApiKey, ApiKey]:
    """Two apps, a minute apart, in each of which a user and then a token were revoked."""
    made = []
    for _ in range(2):
        app = service.app()
        revoke(service, app, target_of("user_id", service.issue(app)))
        revoke(service, app, target_of("token", service.issue(app)), principal=a_principal("svc-2"))
        made.append(app)
        clock.move(minutes=1)
    return made[0], made[1]


def test_newest_first(service: Service, admin: AuditAdmin, apps: tuple[ApiKey, ApiKey]) -> None:
    """Everything once, by falling id, each row with the revision of its change."""
    rows = listed(admin, service)
    assert actions(rows)[:3] == ["token.revoked", "user.revoked", "app.created"]
    assert [row.id for row in rows] == sorted({row.id for row in rows}, reverse=True)
    assert [row.revision for row in rows] == sorted((row.revision for row in rows), reverse=True)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"action": "user.revoked"}, ["user.revoked"] * 2),
        ({"subject": "sara"}, ["user.revoked"] * 2),
        ({"principal": "svc-2"}, ["token.revoked"] * 2),
        ({"outcome": "revoked", "principal": "svc-1"}, ["user.revoked"] * 2),
        ({"action": "user"}, []),
        ({"action": "USER.REVOKED"}, []),
    ],
)
def test_each_column_is_a_filter(
    service: Service, admin: AuditAdmin, apps: tuple[ApiKey, ApiKey], wanted: dict[str, Any], found: list[str]
) -> None:
    """What is asked for must be equal; together they all must be."""
    assert actions(listed(admin, service, **wanted)) == found


def test_by_app_and_by_time(service: Service, admin: AuditAdmin, apps: tuple[ApiKey, ApiKey], clock: HandClock) -> None:
    """An app alone, and a span that has its beginning and not its end."""
    first, _ = apps
    of_first = listed(admin, service, api_key=first)
    assert {row.event.api_key for row in of_first} == {first}
    assert len(of_first) == 3
    start, minute_later = (at(clock() - timedelta(minutes=minutes)) for minutes in (2, 1))
    assert listed(admin, service, since=start, until=minute_later, api_key=first) == of_first
    assert listed(admin, service, since=minute_later, api_key=first) == []
    assert listed(admin, service, until=start, api_key=first) == []


def test_a_caller_sees_its_own_apps(service: Service, admin: AuditAdmin, apps: tuple[ApiKey, ApiKey]) -> None:
    """Rows about other apps, and about no app, are for callers with all apps; whatever is asked for."""
    first, second = apps
    own = a_principal(apps=frozenset({first}))
    assert {row.event.api_key for row in listed(admin, service, own)} == {first}
    assert {row.event.api_key for row in listed(admin, service, own, subject="sara")} == {first}
    assert listed(admin, service, a_principal(apps=frozenset({ApiKey("none")}))) == []
    with pytest.raises(CallerForbidden):
        listed(admin, service, own, api_key=second)
    with pytest.raises(NotFound):
        listed(admin, service, api_key="missing")


@pytest.mark.parametrize(
    ("wanted", "field"),
    [({"subject": "x" * 257}, "subject"), ({"action": "a\0b"}, "action"), ({"principal": "\0"}, "principal")],
)
def test_faults_are_named(service: Service, admin: AuditAdmin, wanted: dict[str, Any], field: str) -> None:
    """What no row can have is a mistake, and the store is not asked."""
    with pytest.raises(InvalidRequest) as refused:
        listed(admin, service, **wanted)
    assert [violation.field for violation in refused.value.violations] == [field]


def test_a_span_that_ends_before_it_begins_is_a_fault(service: Service, admin: AuditAdmin, clock: HandClock) -> None:
    """An empty answer would look as if nothing had happened."""
    with pytest.raises(InvalidRequest):
        listed(admin, service, since=at(clock()), until=at(clock()))


@pytest.mark.parametrize("moment", [Moment(-1), Moment(253_402_300_800), Moment(0, -1), Moment(0, 10**9)])
@pytest.mark.parametrize("field", ["since", "until"])
def test_what_is_no_moment_is_a_fault(service: Service, admin: AuditAdmin, field: str, moment: Any) -> None:
    """The wire can say what no calendar has."""
    with pytest.raises(InvalidRequest) as refused:
        listed(admin, service, **{field: moment})
    assert [violation.field for violation in refused.value.violations] == [field]
