"""Seeing what was revoked, and taking back what was revoked by mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from authsvc.errors import CallerForbidden, InvalidRequest, NotFound
from authsvc.model import ApiKey, SessionRevoked, Subject, TokenRevoked, Watermark, session_text
from authsvc.operations.revocations import ClearRequest, RevocationPlace, RevocationQuery, RevocationsAdmin
from authsvc.storage.base import Revocation
from tests.conftest import HandClock
from tests.rows import Rows
from tests.tokens.revoking import revoke, target_of
from tests.tokens.service import Service, a_principal


@pytest.fixture
def admin(service: Service, clock: HandClock) -> RevocationsAdmin:
    """The use cases under test."""
    return RevocationsAdmin(service.domain.view, service.store, clock=clock)


CLEARED: dict[str, dict[str, Any]] = {
    "user_id": {"user_id": "sara"},
    "all_users": {"all_users": True},
    "token_id": {},
}


@pytest.mark.parametrize("kind", CLEARED)
def test_what_was_revoked_by_mistake_is_good_again(service: Service, admin: RevocationsAdmin, kind: str) -> None:
    """Tokens at once, and only those that this revocation had ended; sessions that ended stay ended."""
    app = service.app()
    issued = service.issue(app, refreshable=True)
    token_id = issued.minted.token.claims.token_id
    revoke(service, app, target_of(kind, issued))
    assert service.validate(app, issued.minted.text).status == "REVOKED"
    target = CLEARED[kind] or {"token_id": token_id}
    assert admin.clear(service.principal, ClearRequest(app, **target))
    assert service.validate(app, issued.minted.text).active
    state = service.store.session_state(service.ticket(issued.refresh_token).session_id)
    assert state is not None
    assert state.covered is (kind != "token_id")


@pytest.mark.parametrize("kind", CLEARED)
def test_one_revocation_does_not_undo_another(service: Service, admin: RevocationsAdmin, kind: str) -> None:
    """A token that was ended in several ways is good only when all of them were taken back."""
    app = service.app()
    issued = service.issue(app, refreshable=True)
    for each in CLEARED:
        revoke(service, app, target_of(each, issued))
    target = CLEARED[kind] or {"token_id": issued.minted.token.claims.token_id}
    assert admin.clear(service.principal, ClearRequest(app, **target))
    assert not service.validate(app, issued.minted.text).active


@pytest.mark.parametrize("kind", CLEARED)
def test_nothing_to_take_back(service: Service, admin: RevocationsAdmin, state_dir: Path, kind: str) -> None:
    """Is said, and neither changes nor audits anything."""
    app = service.app()
    issued = service.issue(app)
    target = CLEARED[kind] or {"token_id": issued.minted.token.claims.token_id}
    before = Rows(state_dir).everything()
    assert not admin.clear(service.principal, ClearRequest(app, **target))
    assert Rows(state_dir).everything() == before


def test_taking_back_is_audited(service: Service, admin: RevocationsAdmin, state_dir: Path) -> None:
    """By whom, for which app, about whom."""
    app = service.app()
    revoke(service, app, target_of("user_id", service.issue(app)))
    admin.clear(service.principal, ClearRequest(app, user_id="sara"))
    row = Rows(state_dir).audit()[-1]
    assert (row.action, row.principal, row.api_key, row.subject) == ("user.cleared", "svc-1", app, "sara")


FAULTY = {
    "nothing": ({}, ["target"]),
    "no user": ({"user_id": ""}, ["user_id"]),
    "not a user": ({"user_id": "a b"}, ["user_id"]),
    "not a jti": ({"token_id": "x"}, ["token_id"]),
    "not all": ({"all_users": False}, ["all_users"]),
}


@pytest.mark.parametrize("name", FAULTY)
def test_faults_are_named(service: Service, admin: RevocationsAdmin, name: str) -> None:
    """Present but empty takes back nothing."""
    fields, named = FAULTY[name]
    with pytest.raises(InvalidRequest) as refused:
        admin.clear(service.principal, ClearRequest(service.app(), **fields))  # type: ignore[arg-type]
    assert [violation.field for violation in refused.value.violations] == named


def test_an_operator_names_the_app(service: Service, admin: RevocationsAdmin) -> None:
    """Neither use case takes the caller's only app for what was meant, and other apps are not the caller's."""
    app = service.app()
    only = a_principal(apps=frozenset({app}))
    with pytest.raises(InvalidRequest):
        admin.clear(only, ClearRequest(user_id="sara"))
    with pytest.raises(InvalidRequest):
        admin.listed(only, RevocationQuery(), after=None, limit=1)
    for principal, error in ((a_principal(apps=frozenset({ApiKey("other")})), CallerForbidden), (only, None)):
        if error is not None:
            with pytest.raises(error):
                admin.clear(principal, ClearRequest(app, user_id="sara"))
            with pytest.raises(error):
                admin.listed(principal, RevocationQuery(app), after=None, limit=1)
        else:
            assert admin.listed(principal, RevocationQuery(app), after=None, limit=1) == ()
    with pytest.raises(NotFound):
        admin.listed(service.principal, RevocationQuery("missing"), after=None, limit=1)


def place_of(revocation: Revocation) -> RevocationPlace:
    """Where a list has got to with this one."""
    match revocation:
        case SessionRevoked():
            return RevocationPlace(Subject.SESSION, session_text(revocation.session_id))
        case TokenRevoked():
            return RevocationPlace(Subject.TOKEN, revocation.token_id)
        case Watermark():
            return RevocationPlace(Subject.WATERMARK, revocation.user_id or "")


def listed(admin: RevocationsAdmin, service: Service, query: RevocationQuery, size: int) -> list[Revocation]:
    """All pages of that size, one after the other."""
    found: list[Revocation] = []
    while True:
        after = place_of(found[-1]) if found else None
        page = admin.listed(service.principal, query, after=after, limit=size)
        found += page
        if len(page) < size:
            return found


@pytest.fixture
def revoked(service: Service) -> ApiKey:
    """An app with two users, three sessions, four tokens and all users revoked; and another app with some."""
    app, other = service.app(), service.app()
    for where in (app, other):
        for user in ("sara", "tom"):
            revoke(service, where, target_of("user_id", service.issue(where)).__class__(user))  # type: ignore[arg-type]
        for kind, number in (("session_id", 3), ("token", 4), ("all_users", 1)):
            for _ in range(number):
                revoke(service, where, target_of(kind, service.issue(where, refreshable=True)))
    return app


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 10, 11, 1000])
def test_pages_hold_everything_once(service: Service, admin: RevocationsAdmin, revoked: ApiKey, size: int) -> None:
    """Watermarks, then sessions, then tokens of that app alone, whatever the pages are cut to."""
    found = listed(admin, service, RevocationQuery(revoked), size)
    assert [type(each) for each in found] == [Watermark] * 3 + [SessionRevoked] * 3 + [TokenRevoked] * 4
    assert len(set(map(place_of, found))) == 10
    assert {each.api_key for each in found} == {revoked}


@pytest.mark.parametrize(("kind", "number"), [(Subject.WATERMARK, 3), (Subject.SESSION, 3), (Subject.TOKEN, 4)])
def test_one_kind_alone(service: Service, admin: RevocationsAdmin, revoked: ApiKey, kind: Subject, number: int) -> None:
    """Only that kind, page by page too."""
    for size in (1, 1000):
        found = listed(admin, service, RevocationQuery(revoked, kind), size)
        assert [place_of(each).kind for each in found] == [kind] * number


def test_one_user_alone(service: Service, admin: RevocationsAdmin, revoked: ApiKey) -> None:
    """The user's own watermark and sessions; single tokens are not known by user, and asking for them is a fault."""
    found = listed(admin, service, RevocationQuery(revoked, user_id="sara"), 2)
    assert [type(each) for each in found] == [Watermark] + [SessionRevoked] * 3
    assert listed(admin, service, RevocationQuery(revoked, user_id="nobody"), 2) == []
    with pytest.raises(InvalidRequest):
        admin.listed(service.principal, RevocationQuery(revoked, Subject.TOKEN, "sara"), after=None, limit=1)
