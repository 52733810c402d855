"""Which app a call is about, and whether the caller may act for it: one rule for every method."""

from __future__ import annotations

import pytest

from authsvc.errors import AuthError, CallerForbidden, InvalidRequest, NotFound, Reason
from authsvc.model import ApiKey, Principal
from authsvc.trust.access import app_for
from authsvc.trust.view import TrustView
from tests.storage.records import an_app
from tests.tokens.service import a_principal

ACME, BETA, GONE = ApiKey("acme"), ApiKey("beta"), ApiKey("gone")
ALL = a_principal()
NONE = a_principal(apps=frozenset(), all_apps=False)
ONE, TWO = a_principal(apps=frozenset({ACME})), a_principal(apps=frozenset({ACME, BETA}))
STALE = a_principal(apps=frozenset({GONE}))


@pytest.fixture
def view() -> TrustView:
    """Two apps."""
    view = TrustView()
    view.put_app(an_app(ACME))
    view.put_app(an_app(BETA))
    return view


@pytest.mark.parametrize(
    ("principal", "name", "expected"),
    [(ALL, "acme", ACME), (ALL, "beta", BETA), (ONE, "acme", ACME), (ONE, "", ACME), (TWO, "beta", BETA)],
)
def test_allowed(view: TrustView, principal: Principal, name: str, expected: ApiKey) -> None:
    """A caller acts for the app it names, or for its only one."""
    assert app_for(view, principal, name).app.api_key == expected


REFUSED: list[tuple[Principal, str, type[AuthError], Reason]] = [
    (ALL, "", InvalidRequest, Reason.INVALID_REQUEST),
    (TWO, "", InvalidRequest, Reason.INVALID_REQUEST),
    (NONE, "", InvalidRequest, Reason.INVALID_REQUEST),
    (ALL, "gone", NotFound, Reason.APP_NOT_FOUND),
    (ALL, "ACME", NotFound, Reason.APP_NOT_FOUND),
    (ALL, "acme ", NotFound, Reason.APP_NOT_FOUND),
    (ONE, "beta", CallerForbidden, Reason.APP_NOT_ALLOWED),
    (ONE, "gone", CallerForbidden, Reason.APP_NOT_ALLOWED),
    (ONE, "Acme", CallerForbidden, Reason.APP_NOT_ALLOWED),
    (NONE, "acme", CallerForbidden, Reason.APP_NOT_ALLOWED),
    (STALE, "gone", CallerForbidden, Reason.APP_NOT_ALLOWED),
    (STALE, "", CallerForbidden, Reason.APP_NOT_ALLOWED),
]


@pytest.mark.parametrize(("principal", "name", "error", "reason"), REFUSED)
def test_refused(view: TrustView, principal: Principal, name: str, error: type[AuthError], reason: Reason) -> None:
    """Others' apps are refused whether they exist or not; only a caller with all apps learns which."""
    with pytest.raises(error) as refused:
        app_for(view, principal, name)
    assert refused.value.reason is reason


def test_the_number_that_clients_know(view: TrustView) -> None:
    """An unknown app carries the number 2, as clients of earlier systems expect; a foreign one carries nothing."""
    with pytest.raises(NotFound) as unknown:
        app_for(view, ALL, "gone")
    with pytest.raises(CallerForbidden) as foreign:
        app_for(view, ONE, "gone")
    assert (dict(unknown.value.metadata), dict(foreign.value.metadata)) == ({"code": "2"}, {})
