"""Two credentials may be good at once, so that a service can change over without a pause."""

from __future__ import annotations

from functools import partial

import pytest

from authsvc.accounts.admin import AccountsAdmin, WithCredential
from authsvc.accounts.authenticate import Authenticator
from authsvc.app.composition import Domain
from authsvc.errors import NotFound, PreconditionFailed, Reason
from authsvc.model import Principal
from tests.accounts.people import a_profile, gets_in
from tests.conftest import HandClock
from tests.rows import Rows
from tests.storage.crowd import all_at_once


@pytest.fixture
def edge(accounts: AccountsAdmin, root: Principal) -> WithCredential:
    """An account with its first credential."""
    return accounts.create(root, a_profile("edge"))


def test_both_credentials_are_good_until_one_is_revoked(
    accounts: AccountsAdmin, authenticator: Authenticator, root: Principal, edge: WithCredential
) -> None:
    """Rotation adds a credential; revoking the old one ends it at once and leaves the new one."""
    new = accounts.rotate(root, edge.account.id)
    assert gets_in(authenticator, edge.credential.text)
    assert gets_in(authenticator, new.credential.text)
    left = accounts.revoke_credential(root, edge.account.id, edge.credential.id)
    assert [credential.id for credential in left.credentials] == [new.credential.id]
    assert not gets_in(authenticator, edge.credential.text)
    assert gets_in(authenticator, new.credential.text)


def test_credentials_are_listed_oldest_first(
    accounts: AccountsAdmin, clock: HandClock, root: Principal, edge: WithCredential
) -> None:
    """Each credential tells when it was made, and the older stands first."""
    first_made = clock()
    clock.move(days=1)
    account = accounts.rotate(root, edge.account.id).account
    assert [credential.created_at for credential in account.credentials] == [first_made, clock()]


def test_a_third_credential_is_refused(
    accounts: AccountsAdmin, authenticator: Authenticator, rows: Rows, root: Principal, edge: WithCredential
) -> None:
    """With two credentials an account gets no more, until one of them is revoked."""
    second = accounts.rotate(root, edge.account.id)
    before = rows.everything()
    with pytest.raises(PreconditionFailed) as refused:
        accounts.rotate(root, edge.account.id)
    assert refused.value.reason is Reason.CREDENTIAL_LIMIT
    assert rows.everything() == before
    accounts.revoke_credential(root, edge.account.id, second.credential.id)
    assert gets_in(authenticator, accounts.rotate(root, edge.account.id).credential.text)


def test_of_many_rotations_at_once_one_succeeds(accounts: AccountsAdmin, root: Principal, edge: WithCredential) -> None:
    """Callers that rotate together do not end with three credentials: one gets its own, the others are refused."""
    outcomes = all_at_once([partial(accounts.rotate, root, edge.account.id)] * 8)
    made = [outcome for outcome in outcomes if isinstance(outcome, WithCredential)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, PreconditionFailed)]
    assert (len(made), len(refused)) == (1, 7)
    kept = accounts.get(root, edge.account.id).credentials
    assert [credential.id for credential in kept] == [edge.credential.id, made[0].credential.id]


def test_a_revoked_credential_is_gone_for_ever(accounts: AccountsAdmin, root: Principal, edge: WithCredential) -> None:
    """Revoking a credential a second time is told apart from revoking it once."""
    accounts.revoke_credential(root, edge.account.id, edge.credential.id)
    with pytest.raises(NotFound) as refused:
        accounts.revoke_credential(root, edge.account.id, edge.credential.id)
    assert refused.value.reason is Reason.CREDENTIAL_NOT_FOUND


def test_a_credential_is_revoked_under_its_own_account_only(
    accounts: AccountsAdmin, authenticator: Authenticator, root: Principal, edge: WithCredential
) -> None:
    """The id of another account's credential names nothing."""
    other = accounts.create(root, a_profile("other"))
    with pytest.raises(NotFound) as refused:
        accounts.revoke_credential(root, edge.account.id, other.credential.id)
    assert refused.value.reason is Reason.CREDENTIAL_NOT_FOUND
    assert gets_in(authenticator, other.credential.text)


def test_an_account_without_credentials_can_get_one(
    accounts: AccountsAdmin, authenticator: Authenticator, root: Principal, edge: WithCredential
) -> None:
    """When its only credential is revoked an account stays, and a rotation lets it in again."""
    accounts.revoke_credential(root, edge.account.id, edge.credential.id)
    assert not gets_in(authenticator, edge.credential.text)
    assert gets_in(authenticator, accounts.rotate(root, edge.account.id).credential.text)


def test_recovering_ends_all_earlier_credentials(
    domain: Domain, authenticator: Authenticator, root: Principal, edge: WithCredential
) -> None:
    """Who holds the store can replace lost credentials: one new is good, two old are not."""
    second = domain.accounts.rotate(root, edge.account.id)
    new = domain.accounts.recover(edge.account.name, "operator")
    assert gets_in(authenticator, new.credential.text)
    assert not gets_in(authenticator, edge.credential.text)
    assert not gets_in(authenticator, second.credential.text)


def test_the_store_keeps_digests_only(
    accounts: AccountsAdmin, rows: Rows, root: Principal, edge: WithCredential
) -> None:
    """The files of the store hold the SHA-256 of each credential, and neither its text nor its random part."""
    second = accounts.rotate(root, edge.account.id)
    kept = rows.read("SELECT digest FROM credentials ORDER BY position")
    assert kept == [(edge.credential.digest,), (second.credential.digest,)]
    raw = rows.raw()
    for made in (edge.credential, second.credential):
        assert made.digest in raw
        assert made.text.encode() not in raw
        assert made.text[22:65].encode() not in raw
