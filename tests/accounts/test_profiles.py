"""What an account may look like, and how it is changed."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from authsvc.accounts.admin import AccountsAdmin
from authsvc.accounts.requests import AccountProfile
from authsvc.errors import AlreadyExists, Conflict, InvalidRequest, NotFound, Reason
from authsvc.model import ApiKey, Permission, Principal, ServiceAccount
from tests.accounts.people import a_profile
from tests.conftest import HandClock
from tests.rows import Rows
from tests.storage.crowd import all_at_once


@pytest.fixture
def edge(accounts: AccountsAdmin, root: Principal) -> ServiceAccount:
    """An account to change."""
    return accounts.create(root, a_profile("edge", audiences=("https://edge",))).account


def _faults(accounts: AccountsAdmin, root: Principal, profile: AccountProfile) -> list[str]:
    with pytest.raises(InvalidRequest) as refused:
        accounts.create(root, profile)
    return [violation.field for violation in refused.value.violations]


@pytest.mark.parametrize("name", ["a", "Z", "0", "edge-1", "edge.eu_west", "a" * 64])
def test_a_name_within_the_form_is_taken(accounts: AccountsAdmin, root: Principal, name: str) -> None:
    """A name has 1 to 64 letters, digits, dots, underscores and hyphens, a letter or digit first."""
    assert accounts.create(root, a_profile(name)).account.name == name


@pytest.mark.parametrize("name", ["", "a" * 65, "-edge", ".edge", "_edge", "ed ge", "édge", "edge\n", "edge\0"])
def test_a_name_outside_the_form_is_refused(accounts: AccountsAdmin, root: Principal, name: str) -> None:
    """Any other name is a fault of ``name``."""
    assert _faults(accounts, root, a_profile(name)) == ["name"]


def test_no_two_accounts_have_one_name(accounts: AccountsAdmin, root: Principal, rows: Rows) -> None:
    """A name that is taken makes no second account, and renames none."""
    accounts.create(root, a_profile("edge"))
    other = accounts.create(root, a_profile("other")).account
    before = rows.everything()
    for attempt in (
        partial(accounts.create, root, a_profile("edge")),
        partial(accounts.update, root, other.id, a_profile("edge"), ("name",), etag_version=None),
    ):
        with pytest.raises(AlreadyExists) as refused:
            attempt()
        assert refused.value.reason is Reason.SERVICE_ACCOUNT_EXISTS
    assert rows.everything() == before


def test_names_that_differ_in_case_are_different_names(accounts: AccountsAdmin, root: Principal) -> None:
    """``edge`` and ``Edge`` are two accounts."""
    for name in ("edge", "Edge", "EDGE"):
        accounts.create(root, a_profile(name))
    assert sorted(account.name for account in accounts.all(root)) == ["EDGE", "Edge", "edge"]


def test_an_account_may_keep_its_name(accounts: AccountsAdmin, root: Principal, edge: ServiceAccount) -> None:
    """An update to the name it has is no conflict with itself."""
    assert accounts.update(root, edge.id, a_profile("edge"), ("name",), etag_version=None).name == "edge"


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"permissions": ()}, ["permissions"]),
        ({"permissions": ("tokens.issue", "tokens.mint")}, ["permissions[1]"]),
        ({"permissions": ("TOKENS.ISSUE",)}, ["permissions[0]"]),
        ({"permissions": ("",)}, ["permissions[0]"]),
        ({"permissions": ("tokens.issue", "tokens.issue")}, ["permissions"]),
        ({"all_apps": True}, ["apps"]),
        ({"apps": ("acme", "acme")}, ["apps"]),
        ({"audiences": ("",)}, ["audiences"]),
        ({"audiences": ("a", "a")}, ["audiences"]),
        ({"audiences": ("a" * 257,)}, ["audiences"]),
        ({"audiences": tuple(map(str, range(21)))}, ["audiences"]),
        (
            {"name": "", "permissions": ("mint", "tokens.issue", "burn"), "all_apps": True, "audiences": ("",)},
            ["name", "apps", "permissions[0]", "permissions[2]", "audiences"],
        ),
    ],
)
def test_every_fault_of_a_profile_is_named(
    accounts: AccountsAdmin, root: Principal, rows: Rows, changes: dict[str, Any], fields: list[str]
) -> None:
    """A profile with faults makes nothing, and all its faults are told at once."""
    before = rows.everything()
    assert _faults(accounts, root, a_profile(**changes)) == fields
    assert rows.everything() == before


def test_the_longest_lists_are_taken(accounts: AccountsAdmin, root: Principal) -> None:
    """Twenty audiences of 256 characters fit, and no apps at all are allowed."""
    audiences = tuple(f"{number:0256}" for number in range(20))
    account = accounts.create(root, a_profile(audiences=audiences, apps=())).account
    assert (account.audiences, account.apps, account.all_apps) == (audiences, frozenset(), False)


@pytest.mark.parametrize("unknown", ["nowhere", "Acme", ""])
def test_an_app_that_is_not_there_is_refused(
    accounts: AccountsAdmin, root: Principal, rows: Rows, edge: ServiceAccount, unknown: str
) -> None:
    """Neither creation nor update names an app that does not exist: a typo would lock the service out silently."""
    before = rows.everything()
    wanted = a_profile("another", apps=("acme", unknown))
    for attempt in (
        partial(accounts.create, root, wanted),
        partial(accounts.update, root, edge.id, wanted, ("apps",), etag_version=None),
    ):
        with pytest.raises(NotFound) as refused:
            attempt()
        assert (refused.value.reason, refused.value.metadata) == (Reason.APP_NOT_FOUND, {"code": "2"})
    assert rows.everything() == before


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (("name",), {"name": "renamed"}),
        (("permissions",), {"permissions": frozenset({Permission.TRUST_READ})}),
        (("apps",), {"apps": frozenset({ApiKey("other")})}),
        (("audiences",), {"audiences": ()}),
        (("name", "audiences"), {"name": "renamed", "audiences": ()}),
        (("name", "name"), {"name": "renamed"}),
    ],
)
def test_an_update_changes_what_the_mask_names(
    accounts: AccountsAdmin,
    root: Principal,
    clock: HandClock,
    edge: ServiceAccount,
    mask: tuple[str, ...],
    expected: dict[str, Any],
) -> None:
    """Named fields become as wanted, also empty where they may be; all others, id, credentials and birth stay."""
    clock.move(hours=1)
    wanted = AccountProfile("renamed", ("trust.read",), apps=("other",))
    updated = accounts.update(root, edge.id, wanted, mask, etag_version=None)
    for field in (
        "id",
        "name",
        "permissions",
        "all_apps",
        "apps",
        "audiences",
        "disabled",
        "credentials",
        "created_at",
    ):
        assert getattr(updated, field) == expected.get(field, getattr(edge, field)), field
    assert (updated.version, updated.updated_at) == (edge.version + 1, clock())


def test_an_account_moves_from_some_apps_to_all(accounts: AccountsAdmin, root: Principal, edge: ServiceAccount) -> None:
    """``all_apps`` needs ``apps`` to be empty: naming it alone is refused, naming both changes over."""
    everywhere = a_profile(all_apps=True, apps=())
    with pytest.raises(InvalidRequest) as refused:
        accounts.update(root, edge.id, everywhere, ("all_apps",), etag_version=None)
    assert [violation.field for violation in refused.value.violations] == ["apps"]
    updated = accounts.update(root, edge.id, everywhere, ("all_apps", "apps"), etag_version=None)
    assert (updated.all_apps, updated.apps) == (True, frozenset())


@pytest.mark.parametrize(
    ("mask", "fields"),
    [
        ((), ["update_mask"]),
        (("disabled",), ["update_mask.paths[0]"]),
        (("Name",), ["update_mask.paths[0]"]),
        (("*",), ["update_mask.paths[0]"]),
        (("name", "", "credentials", "id"), ["update_mask.paths[1]", "update_mask.paths[2]", "update_mask.paths[3]"]),
    ],
)
def test_a_mask_names_fields_of_a_profile(
    accounts: AccountsAdmin,
    root: Principal,
    rows: Rows,
    edge: ServiceAccount,
    mask: tuple[str, ...],
    fields: list[str],
) -> None:
    """An empty mask, and one with a path that is no field, change nothing and are told."""
    before = rows.everything()
    with pytest.raises(InvalidRequest) as refused:
        accounts.update(root, edge.id, a_profile("renamed"), mask, etag_version=None)
    assert [violation.field for violation in refused.value.violations] == fields
    assert rows.everything() == before


def test_an_update_is_judged_as_a_creation_is(
    accounts: AccountsAdmin, root: Principal, rows: Rows, edge: ServiceAccount
) -> None:
    """Faults of named fields are refused; what the mask does not name is not looked at."""
    before = rows.everything()
    with pytest.raises(InvalidRequest) as refused:
        accounts.update(root, edge.id, AccountProfile("", ()), ("name", "permissions"), etag_version=None)
    assert [violation.field for violation in refused.value.violations] == ["name", "permissions"]
    assert rows.everything() == before
    assert (
        accounts.update(root, edge.id, AccountProfile("fine", ("mint",)), ("name",), etag_version=None).name == "fine"
    )


@pytest.mark.parametrize("changed", ["update", "disable", "enable", "nothing to disable"])
def test_an_old_etag_is_a_conflict(
    accounts: AccountsAdmin, root: Principal, rows: Rows, edge: ServiceAccount, changed: str
) -> None:
    """A change made on a state that is no longer there is refused; on the state that is there it is made."""
    disabled = changed in ("enable", "nothing to disable")
    current = accounts.set_disabled(root, edge.id, disabled, etag_version=edge.version)
    newest = accounts.update(root, edge.id, a_profile("newer"), ("name",), etag_version=current.version)

    def change(version: int) -> ServiceAccount:
        if changed == "update":
            return accounts.update(root, edge.id, a_profile("newest"), ("name",), etag_version=version)
        return accounts.set_disabled(root, edge.id, changed != "enable", etag_version=version)

    before = rows.everything()
    for stale in (current.version, newest.version + 1, 0, -1):
        with pytest.raises(Conflict):
            change(stale)
    assert rows.everything() == before
    assert change(newest.version).id == edge.id


def test_of_many_updates_of_one_state_one_is_made(
    accounts: AccountsAdmin, root: Principal, edge: ServiceAccount
) -> None:
    """Editors who all read the same state do not overwrite each other: one wins, the others hear of the conflict."""
    attempts = [
        partial(accounts.update, root, edge.id, a_profile(f"name-{n}"), ("name",), etag_version=edge.version)
        for n in range(8)
    ]
    outcomes = all_at_once(attempts)
    made = [outcome for outcome in outcomes if isinstance(outcome, ServiceAccount)]
    assert len(made) == 1
    assert [type(outcome) for outcome in outcomes].count(Conflict) == 7
    assert accounts.get(root, edge.id) == made[0]


@pytest.mark.parametrize("disabled", [True, False])
def test_disabling_and_enabling_twice_is_harmless(
    accounts: AccountsAdmin, root: Principal, rows: Rows, edge: ServiceAccount, disabled: bool
) -> None:
    """The second time nothing is changed, counted or audited."""
    accounts.set_disabled(root, edge.id, not disabled, etag_version=None)
    first = accounts.set_disabled(root, edge.id, disabled, etag_version=None)
    before = rows.everything()
    assert accounts.set_disabled(root, edge.id, disabled, etag_version=None) == first
    assert rows.everything() == before


def test_an_account_must_be_named(accounts: AccountsAdmin, root: Principal) -> None:
    """An empty id, or an empty credential id, is a fault of the request, told with all others."""
    for attempt, fields in (
        (partial(accounts.get, root, ""), ["id"]),
        (partial(accounts.update, root, "", a_profile(), (), etag_version=None), ["id", "update_mask"]),
        (partial(accounts.set_disabled, root, "", True, etag_version=None), ["id"]),
        (partial(accounts.set_disabled, root, "", False, etag_version=None), ["id"]),
        (partial(accounts.rotate, root, ""), ["id"]),
        (partial(accounts.revoke_credential, root, "", ""), ["id", "credential_id"]),
    ):
        with pytest.raises(InvalidRequest) as refused:
            attempt()
        assert [violation.field for violation in refused.value.violations] == fields


@pytest.mark.parametrize("account_id", ["nobody", "A" * 16, "a" * 16])
def test_an_unknown_account_is_not_found(accounts: AccountsAdmin, root: Principal, account_id: str) -> None:
    """Whatever is asked of an account that is not there: it is not found."""
    for attempt in (
        partial(accounts.get, root, account_id),
        partial(accounts.update, root, account_id, a_profile(), ("name",), etag_version=None),
        partial(accounts.set_disabled, root, account_id, True, etag_version=None),
        partial(accounts.rotate, root, account_id),
        partial(accounts.revoke_credential, root, account_id, "c"),
    ):
        with pytest.raises(NotFound) as refused:
            attempt()
        assert refused.value.reason is Reason.SERVICE_ACCOUNT_NOT_FOUND
