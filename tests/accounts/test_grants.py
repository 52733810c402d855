"""What a caller may give to an account: nothing that it does not hold itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from authsvc.accounts.admin import AccountsAdmin
from authsvc.accounts.requests import AccountProfile
from authsvc.errors import CallerForbidden, Reason
from authsvc.model import Permission, Principal, ServiceAccount
from tests.accounts.people import EVERYTHING, a_principal, a_profile
from tests.rows import Rows

Act = Callable[[AccountsAdmin, Principal, ServiceAccount], object]


def _wanting(*permissions: str) -> AccountProfile:
    return a_profile("another", permissions=permissions)


@pytest.fixture
def admin_account(accounts: AccountsAdmin, root: Principal) -> ServiceAccount:
    """A disabled account that holds every permission."""
    made = accounts.create(root, a_profile("admin", permissions=tuple(EVERYTHING)))
    return accounts.set_disabled(root, made.account.id, True, etag_version=None)


@pytest.mark.parametrize("lacking", Permission)
def test_only_held_permissions_are_granted_to_a_new_account(
    accounts: AccountsAdmin, rows: Rows, lacking: Permission
) -> None:
    """Whoever lacks a permission makes no account with it, and makes one with all the others."""
    caller = a_principal(EVERYTHING - {lacking})
    before = rows.everything()
    with pytest.raises(CallerForbidden) as refused:
        accounts.create(caller, _wanting(lacking))
    assert refused.value.reason is Reason.GRANT_EXCEEDS_OWN
    assert rows.everything() == before
    made = accounts.create(caller, _wanting(*caller.permissions))
    assert made.account.permissions == caller.permissions


@pytest.mark.parametrize("lacking", Permission)
def test_only_held_permissions_are_granted_by_an_update(
    accounts: AccountsAdmin, root: Principal, rows: Rows, lacking: Permission
) -> None:
    """Whoever lacks a permission adds it to no account, and may add all the others."""
    account = accounts.create(root, _wanting(*({"trust.read", "tokens.issue"} - {lacking}))).account
    caller = a_principal(EVERYTHING - {lacking})
    before = rows.everything()
    with pytest.raises(CallerForbidden) as refused:
        accounts.update(caller, account.id, _wanting(*EVERYTHING), ("permissions",), etag_version=None)
    assert refused.value.reason is Reason.GRANT_EXCEEDS_OWN
    assert rows.everything() == before
    updated = accounts.update(caller, account.id, _wanting(*caller.permissions), ("permissions",), etag_version=None)
    assert updated.permissions == caller.permissions


ACTS: dict[str, Act] = {
    "update of its name": lambda accounts, caller, account: accounts.update(
        caller, account.id, a_profile("renamed"), ("name",), etag_version=None
    ),
    "update of its apps": lambda accounts, caller, account: accounts.update(
        caller, account.id, a_profile(all_apps=True, apps=()), ("all_apps", "apps"), etag_version=None
    ),
    "enabling it": lambda accounts, caller, account: accounts.set_disabled(
        caller, account.id, False, etag_version=None
    ),
    "a new credential": lambda accounts, caller, account: accounts.rotate(caller, account.id),
}


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_an_account_that_may_more_is_out_of_reach(
    accounts: AccountsAdmin, root: Principal, rows: Rows, admin_account: ServiceAccount, act: Act
) -> None:
    """An account with a permission the caller lacks is not renamed, widened, enabled or given a credential by it."""
    before = rows.everything()
    with pytest.raises(CallerForbidden) as refused:
        act(accounts, a_principal(EVERYTHING - {Permission.TOKENS_REVOKE}), admin_account)
    assert refused.value.reason is Reason.GRANT_EXCEEDS_OWN
    assert rows.everything() == before
    act(accounts, root, admin_account)
    assert rows.everything() != before


def test_taking_away_needs_no_more_than_admin_write(
    accounts: AccountsAdmin, root: Principal, admin_account: ServiceAccount
) -> None:
    """Disabling, ending a credential and cutting permissions down to one's own are no grants."""
    caller = a_principal({Permission.ADMIN_WRITE})
    accounts.revoke_credential(caller, admin_account.id, admin_account.credentials[0].id)
    cut = accounts.update(caller, admin_account.id, _wanting("admin.write"), ("permissions",), etag_version=None)
    assert cut.permissions == {Permission.ADMIN_WRITE}
    assert cut.credentials == ()
    accounts.set_disabled(root, admin_account.id, False, etag_version=None)
    assert accounts.set_disabled(caller, admin_account.id, True, etag_version=None).disabled


NEEDS_ALL_APPS: dict[str, Act] = {
    "get": lambda accounts, caller, account: accounts.get(caller, account.id),
    "list": lambda accounts, caller, _: accounts.all(caller),
    "create": lambda accounts, caller, _: accounts.create(caller, a_profile("another")),
    "update": lambda accounts, caller, account: accounts.update(
        caller, account.id, a_profile("another"), ("name",), etag_version=None
    ),
    "disable": lambda accounts, caller, account: accounts.set_disabled(caller, account.id, True, etag_version=None),
    "enable": lambda accounts, caller, account: accounts.set_disabled(caller, account.id, False, etag_version=None),
    "rotate": lambda accounts, caller, account: accounts.rotate(caller, account.id),
    "revoke": lambda accounts, caller, account: accounts.revoke_credential(
        caller, account.id, account.credentials[0].id
    ),
}


@pytest.mark.parametrize("act", NEEDS_ALL_APPS.values(), ids=NEEDS_ALL_APPS.keys())
def test_accounts_need_a_caller_with_all_apps(accounts: AccountsAdmin, root: Principal, rows: Rows, act: Act) -> None:
    """A caller for some apps, even for every app there is, neither sees nor changes accounts; one for all apps does."""
    account = accounts.create(root, a_profile("edge")).account
    before = rows.everything()
    with pytest.raises(CallerForbidden) as refused:
        act(accounts, a_principal(apps=["acme", "other"]), account)
    assert refused.value.reason is Reason.APP_NOT_ALLOWED
    assert rows.everything() == before
    act(accounts, root, account)


def test_an_unknown_account_is_not_told_to_a_caller_of_some_apps(accounts: AccountsAdmin) -> None:
    """Whether an account exists is told only to those who may see all."""
    with pytest.raises(CallerForbidden) as refused:
        accounts.get(a_principal(apps=["acme"]), "nobody")
    assert refused.value.reason is Reason.APP_NOT_ALLOWED
