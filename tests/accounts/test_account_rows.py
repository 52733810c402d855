"""What a change of an account leaves in the store: its audit row and its feed row, in the change's own transaction."""

from __future__ import annotations

from collections.abc import Callable

import apsw
import pytest

from authsvc.accounts.admin import AccountsAdmin
from authsvc.accounts.authenticate import Authenticator
from authsvc.app.composition import Domain
from authsvc.clock import to_microseconds
from authsvc.model import Principal, ServiceAccount
from tests.accounts.people import a_profile, gets_in
from tests.conftest import HandClock
from tests.rows import AuditRow, FeedRow, Rows

Change = Callable[[AccountsAdmin, Principal, ServiceAccount], object]

CHANGES: dict[str, Change] = {
    "account.created": lambda accounts, root, _: accounts.create(root, a_profile("new")).account,
    "account.updated": lambda accounts, root, account: accounts.update(
        root, account.id, a_profile("renamed"), ("name",), etag_version=None
    ),
    "account.disabled": lambda accounts, root, account: accounts.set_disabled(
        root, account.id, True, etag_version=None
    ),
    "account.enabled": lambda accounts, root, account: (
        accounts.set_disabled(root, account.id, True, etag_version=None),
        accounts.set_disabled(root, account.id, False, etag_version=None),
    )[1],
    "credential.added": lambda accounts, root, account: accounts.rotate(root, account.id).account,
    "credential.revoked": lambda accounts, root, account: accounts.revoke_credential(
        root, account.id, account.credentials[0].id
    ),
    "account.recovered": lambda accounts, root, account: accounts.recover(account.name, root.account_id).account,
}
changes = pytest.mark.parametrize(("action", "change"), CHANGES.items(), ids=CHANGES.keys())


@pytest.fixture
def edge(accounts: AccountsAdmin, root: Principal) -> ServiceAccount:
    """An account to change."""
    return accounts.create(root, a_profile("edge")).account


@changes
def test_a_change_is_audited_and_fed_under_its_revision(
    accounts: AccountsAdmin,
    root: Principal,
    clock: HandClock,
    rows: Rows,
    edge: ServiceAccount,
    action: str,
    change: Change,
) -> None:
    """Time, caller, action and account stand in the audit, the account in the feed, all under its new revision."""
    clock.move(minutes=5, microseconds=1)
    account = change(accounts, root, edge)
    assert isinstance(account, ServiceAccount)
    revision = rows.revision()
    assert account.revision == revision
    expected = AuditRow(to_microseconds(clock()), revision, action, root.account_id, "", account.id, "done", "")
    assert rows.audit()[-1] == expected
    assert [row for row in rows.feed() if row.revision == revision] == [FeedRow(revision, 0, "account", "", account.id)]
    assert rows.read(f"SELECT revision, version FROM accounts WHERE id = '{account.id}'") == [  # noqa: S608
        (revision, account.version)
    ]


@pytest.mark.parametrize("table", ["audit", "feed"])
@changes
def test_what_cannot_be_audited_or_fed_is_not_changed(
    domain: Domain, root: Principal, rows: Rows, edge: ServiceAccount, action: str, change: Change, table: str
) -> None:
    """Where the audit row or the feed row cannot be written, neither is the change, in the file and in memory."""
    account = domain.accounts.set_disabled(root, edge.id, action == "account.enabled", etag_version=None)
    before, known = rows.everything(), domain.view.accounts()
    with rows.unwritable(table), pytest.raises(apsw.ConstraintError):
        change(domain.accounts, root, account)
    assert rows.everything() == before
    assert domain.view.accounts() == known
    change(domain.accounts, root, account)
    assert rows.audit()[-1].action == action


def test_nothing_secret_is_audited(accounts: AccountsAdmin, root: Principal, rows: Rows, edge: ServiceAccount) -> None:
    """No audit or feed row holds a credential, a digest or a credential's random part."""
    made = accounts.rotate(root, edge.id)
    accounts.revoke_credential(root, edge.id, made.credential.id)
    written = repr((rows.audit(), rows.feed()))
    assert edge.id in written
    for secret in (made.credential.text, made.credential.text[22:65], made.credential.digest.hex()):
        assert secret not in written


def test_the_change_is_known_when_it_is_acknowledged(
    accounts: AccountsAdmin, authenticator: Authenticator, root: Principal
) -> None:
    """Each answer is true at once: fifty new credentials get in as soon as they are told, and not after their end."""
    for number in range(50):
        made = accounts.create(root, a_profile(f"edge-{number}"))
        assert gets_in(authenticator, made.credential.text)
        accounts.revoke_credential(root, made.account.id, made.credential.id)
        assert not gets_in(authenticator, made.credential.text)
