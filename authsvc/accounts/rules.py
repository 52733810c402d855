"""What a service account may look like, and what its maker may give it."""

from __future__ import annotations

import re
from dataclasses import replace

from authsvc.accounts.requests import FIELDS, AccountProfile
from authsvc.clock import Deadline
from authsvc.errors import CallerForbidden, Faults, NotFound, Reason
from authsvc.model import AccountId, ApiKey, Permission, Principal, ServiceAccount
from authsvc.trust.access import APP_NOT_FOUND_CODE, known_app
from authsvc.trust.view import TrustView
from authsvc.verify.identifiers import check_audience

EVERY_PERMISSION = tuple(permission.value for permission in Permission)
NAME_FORM = "1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or digit"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_PERMISSIONS = frozenset(permission.value for permission in Permission)


def check_profile(profile: AccountProfile, faults: Faults) -> None:
    """Note every fault of a profile."""
    _check_who(profile, faults)
    _check_what(profile, faults)
    check_audience(profile.audiences, faults, "audiences")


def _check_who(profile: AccountProfile, faults: Faults) -> None:
    if _NAME.fullmatch(profile.name) is None:
        faults.add("name", f"must be {NAME_FORM}")
    if profile.all_apps and profile.apps:
        faults.add("apps", "must be empty where all_apps is set")
    if len(set(profile.apps)) != len(profile.apps):
        faults.add("apps", "lists an entry twice")


def _check_what(profile: AccountProfile, faults: Faults) -> None:
    if not profile.permissions:
        faults.add("permissions", "must name at least one permission")
    for index, name in enumerate(profile.permissions):
        if name not in _PERMISSIONS:
            faults.add(f"permissions[{index}]", f"must be one of {', '.join(sorted(_PERMISSIONS))}")
    if len(set(profile.permissions)) != len(profile.permissions):
        faults.add("permissions", "lists an entry twice")


def known_account(view: TrustView, account_id: str, *, deadline: Deadline | None = None) -> ServiceAccount:
    """The account, which another worker may have made just now; a second look takes no longer than ``deadline``.

    Raises ``NotFound`` (SERVICE_ACCOUNT_NOT_FOUND).
    """
    name = AccountId(account_id)
    account = view.account(name)
    if account is None and view.look_again(("account", name), deadline):
        account = view.account(name)
    if account is None:
        raise NotFound(Reason.SERVICE_ACCOUNT_NOT_FOUND)
    return account


def check_apps_exist(profile: AccountProfile, view: TrustView, *, deadline: Deadline | None = None) -> None:
    """Raise ``NotFound`` (APP_NOT_FOUND) for an app that is not there: a typo would lock the service out silently."""
    if any(known_app(view, ApiKey(name), deadline=deadline) is None for name in profile.apps):
        raise NotFound(Reason.APP_NOT_FOUND, metadata=APP_NOT_FOUND_CODE)


def check_all_apps(principal: Principal) -> None:
    """Raise ``CallerForbidden`` (APP_NOT_ALLOWED) unless the caller may act for all apps."""
    if not principal.all_apps:
        raise CallerForbidden(Reason.APP_NOT_ALLOWED)


def check_grant(principal: Principal, permissions: frozenset[Permission]) -> None:
    """Raise ``CallerForbidden`` (GRANT_EXCEEDS_OWN) for a permission that the caller does not hold itself.

    Audiences are no right: whoever validates may name any in the question, an account's are those it need not name.
    """
    if not permissions <= principal.permissions:
        raise CallerForbidden(Reason.GRANT_EXCEEDS_OWN)


def check_named(field: str, value: str, faults: Faults) -> None:
    """A request says what it is about: an empty name is a fault, not a thing that does not exist."""
    if not value:
        faults.add(field, "must be set")


def profile_of(account: ServiceAccount) -> AccountProfile:
    """The profile an account has."""
    return AccountProfile(
        account.name,
        tuple(sorted(account.permissions)),
        account.all_apps,
        tuple(sorted(account.apps)),
        account.audiences,
    )


def masked(current: AccountProfile, wanted: AccountProfile, mask: tuple[str, ...]) -> AccountProfile:
    """``current`` with the fields that the mask names taken from ``wanted``."""
    return replace(current, **{name: getattr(wanted, name) for name in mask})


def check_mask(mask: tuple[str, ...], faults: Faults) -> None:
    """A mask names at least one field, and only fields there are."""
    if not mask:
        faults.add("update_mask", "must name the fields to change")
    for index, path in enumerate(mask):
        if path not in FIELDS:
            faults.add(f"update_mask.paths[{index}]", f"must be one of {', '.join(FIELDS)}")
