"""Which app a call is about, and whether the caller may act for it: one rule for every method."""

from __future__ import annotations

from authsvc.errors import CallerForbidden, InvalidRequest, NotFound, Reason, Violation
from authsvc.model import ApiKey, Principal
from authsvc.trust.view import AppTrust, TrustView

APP_NOT_FOUND_CODE = {"code": "2"}  # the number the seed systems' clients know an unknown API key by


def app_for(view: TrustView, principal: Principal, api_key: str) -> AppTrust:
    """The app a request names; an empty name means the caller's only app.

    Raises ``InvalidRequest`` when the caller may act for several and names none, ``CallerForbidden``
    (APP_NOT_ALLOWED) for an app that is not the caller's, whether or not it exists, and ``NotFound``
    (APP_NOT_FOUND) only to callers that may see all apps: names of apps are not told to others.
    """
    name = ApiKey(api_key) if api_key else _only_app(principal)
    if not principal.may_act_for(name):
        raise CallerForbidden(Reason.APP_NOT_ALLOWED)
    trust = view.app(name)
    if trust is None:
        raise _unknown(principal)
    return trust


def _only_app(principal: Principal) -> ApiKey:
    if principal.all_apps or len(principal.apps) != 1:
        raise InvalidRequest([Violation("api_key", "must name the app: the caller may act for several")])
    return next(iter(principal.apps))


def _unknown(principal: Principal) -> CallerForbidden | NotFound:
    if principal.all_apps:
        return NotFound(Reason.APP_NOT_FOUND, metadata=APP_NOT_FOUND_CODE)
    return CallerForbidden(Reason.APP_NOT_ALLOWED)
