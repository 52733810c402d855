"""Which app a call is about, and whether the caller may act for it: one rule for every method."""

from __future__ import annotations

from authsvc.clock import Deadline
from authsvc.errors import CallerForbidden, CallerUnauthenticated, InvalidRequest, NotFound, Reason, Violation
from authsvc.model import ApiKey, Permission, Principal, ServiceAccount
from authsvc.trust.view import AppTrust, TrustView

APP_NOT_FOUND_CODE = {"code": "2"}  # the number the seed systems' clients know an unknown API key by


def known_app(view: TrustView, api_key: ApiKey, *, deadline: Deadline | None = None) -> AppTrust | None:
    """The app with that key, which another worker may have made just now; None when there is none.

    A second look at the store takes no longer than ``deadline`` (None: a second).
    """
    trust = view.app(api_key)
    if trust is None and view.look_again(("app", api_key), deadline):
        trust = view.app(api_key)
    return trust


def app_for(view: TrustView, principal: Principal, api_key: str, *, deadline: Deadline | None = None) -> AppTrust:
    """The app a request names; an empty name means the caller's only app. ``deadline`` as ``known_app`` has it.

    Raises ``InvalidRequest`` when the caller may act for several and names none, ``CallerForbidden``
    (APP_NOT_ALLOWED) for an app that is not the caller's, whether or not it exists, and ``NotFound``
    (APP_NOT_FOUND) only to callers that may see all apps: names of apps are not told to others.
    """
    name = ApiKey(api_key) if api_key else _only_app(principal)
    if not principal.may_act_for(name):
        raise CallerForbidden(Reason.APP_NOT_ALLOWED)
    trust = known_app(view, name, deadline=deadline)
    if trust is None:
        raise _unknown(principal)
    return trust


def principal_of(account: ServiceAccount, credential: str) -> Principal:
    """What the rules of a call need to know of an account that called with this credential."""
    return Principal(
        account_id=account.id,
        name=account.name,
        permissions=account.permissions,
        all_apps=account.all_apps,
        apps=account.apps,
        audiences=account.audiences,
        credential=credential,
    )


def still_admitted(view: TrustView, principal: Principal, permission: Permission) -> Principal:
    """The principal as the view knows it now: for a call that lasts, or that asked for the store's word.

    Raises ``CallerUnauthenticated`` (CREDENTIAL_INVALID) when the account or the credential has ended, and
    ``CallerForbidden`` (PERMISSION_MISSING) when the account has lost that permission.
    """
    if principal.public:
        return principal
    account = view.account(principal.account_id)
    if account is None or account.disabled or all(one.id != principal.credential for one in account.credentials):
        raise CallerUnauthenticated(Reason.CREDENTIAL_INVALID, detail="ended while the call lasted")
    if permission not in account.permissions:
        raise CallerForbidden(Reason.PERMISSION_MISSING, metadata={"permission": permission})
    return principal_of(account, principal.credential)


def _only_app(principal: Principal) -> ApiKey:
    if principal.all_apps or len(principal.apps) != 1:
        raise InvalidRequest([Violation("api_key", "must name the app: the caller may act for several")])
    return next(iter(principal.apps))


def _unknown(principal: Principal) -> CallerForbidden | NotFound:
    if principal.all_apps:
        return NotFound(Reason.APP_NOT_FOUND, metadata=APP_NOT_FOUND_CODE)
    return CallerForbidden(Reason.APP_NOT_ALLOWED)
