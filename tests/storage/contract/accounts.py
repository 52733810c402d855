"""Service accounts and their credentials: round trips, uniqueness, edits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from authsvc.errors import AlreadyExists, NotFound, Reason
from authsvc.model import AccountId, ApiKey, Permission, ServiceAccount
from authsvc.storage.base import Store
from tests.storage.crowd import all_at_once
from tests.storage.places import START, SettableClock
from tests.storage.records import a_credential, an_account, an_audit

EDGE = AccountId("svc-1")


class Accounts:
    """``create_account``, ``edit_account`` and what ``trust_state`` shows of them."""

    def test_a_new_account_comes_back_as_it_was(self, store: Store) -> None:
        """Every field survives, credentials in their order, under a new revision."""
        account = an_account(
            permissions=frozenset(Permission),
            all_apps=True,
            apps=frozenset({ApiKey("b"), ApiKey("B"), ApiKey("a'")}),
            audiences=("z", "", "a"),
            disabled=True,
            credentials=(a_credential("z"), a_credential("a"), a_credential("A")),
            version=3,
            created_at=START - timedelta(days=9000, microseconds=1),
            updated_at=START + timedelta(microseconds=1),
        )
        created = store.create_account(account, an_audit())
        state = store.trust_state()
        assert created == replace(account, revision=state.revision)
        assert state.accounts == (created,)

    def test_an_account_may_hold_nothing(self, store: Store) -> None:
        """Empty permissions, apps, audiences and credentials stay empty."""
        bare = an_account(permissions=frozenset(), apps=frozenset(), audiences=(), credentials=())
        assert store.trust_state().accounts == ()
        assert store.create_account(bare, an_audit()) == store.trust_state().accounts[0]
        assert store.trust_state().accounts[0].credentials == ()

    @pytest.mark.parametrize(("account_id", "name"), [("svc-1", "other"), ("other", "edge")])
    def test_a_taken_id_or_name_is_refused(self, store: Store, account_id: str, name: str) -> None:
        """A second account with the same id or name raises SERVICE_ACCOUNT_EXISTS and changes nothing."""
        store.create_account(an_account(), an_audit())
        before = store.trust_state(), store.counts()
        with pytest.raises(AlreadyExists) as refusal:
            store.create_account(an_account(account_id, name), an_audit())
        assert refusal.value.reason is Reason.SERVICE_ACCOUNT_EXISTS
        assert (store.trust_state(), store.counts()) == before

    def test_names_and_ids_that_differ_only_in_case_differ(self, store: Store) -> None:
        """``edge`` and ``EDGE`` are two names, ``svc-1`` and ``SVC-1`` two ids."""
        for account_id, name in [("svc-1", "edge"), ("SVC-1", "Edge"), ("svc-2", "EDGE")]:
            store.create_account(an_account(account_id, name), an_audit())
        assert len(store.trust_state().accounts) == 3

    def test_the_first_account_is_made_once(self, store: Store) -> None:
        """Of many that create an account ``only_if_none``, exactly one succeeds."""
        calls = [
            partial(store.create_account, an_account(f"svc-{i}", f"name-{i}"), an_audit(), only_if_none=True)
            for i in range(8)
        ]
        outcomes = all_at_once(calls)
        made = [outcome for outcome in outcomes if isinstance(outcome, ServiceAccount)]
        refused = [outcome for outcome in outcomes if isinstance(outcome, AlreadyExists)]
        assert (len(made), len(refused)) == (1, 7)
        assert store.trust_state().accounts == tuple(made)
        assert {refusal.reason for refusal in refused} == {Reason.SERVICE_ACCOUNT_EXISTS}

    def test_an_edit_replaces_the_account_and_its_credentials(self, store: Store, clock: SettableClock) -> None:
        """An edit gives ``version + 1``, a new revision and the store's time; other accounts stay as they are."""
        created = store.create_account(an_account(), an_audit())
        other = store.create_account(an_account("svc-2", "other"), an_audit())
        now = clock.advance(timedelta(microseconds=1))
        changes = {"credentials": (a_credential("new"), a_credential()), "permissions": frozenset(), "name": "Edge"}
        edited = store.edit_account(EDGE, lambda account: replace(account, **changes), an_audit())  # type: ignore[arg-type]
        state = store.trust_state()
        expected = replace(created, **changes, version=2, revision=state.revision, updated_at=now)  # type: ignore[arg-type]
        assert edited == expected
        assert state.accounts == (expected, other)
        assert state.revision == other.revision + 1

    def test_an_edit_cannot_take_another_name(self, store: Store) -> None:
        """A name that is another account's raises SERVICE_ACCOUNT_EXISTS; the account's own name is no obstacle."""
        store.create_account(an_account(), an_audit())
        store.create_account(an_account("svc-2", "other"), an_audit())
        before = store.trust_state(), store.counts()
        with pytest.raises(AlreadyExists) as refusal:
            store.edit_account(EDGE, lambda account: replace(account, name="other"), an_audit())
        assert refusal.value.reason is Reason.SERVICE_ACCOUNT_EXISTS
        assert (store.trust_state(), store.counts()) == before
        assert store.edit_account(EDGE, lambda account: account, an_audit()).name == "edge"

    def test_what_an_edit_raises_passes_through(self, store: Store) -> None:
        """When ``edit`` raises, its own exception reaches the caller and nothing is changed."""
        store.create_account(an_account(), an_audit())
        before = store.trust_state(), store.counts()
        with pytest.raises(ZeroDivisionError):
            store.edit_account(EDGE, lambda account: replace(account, version=1 // 0), an_audit())
        assert (store.trust_state(), store.counts()) == before

    def test_an_unknown_account_is_not_found(self, store: Store) -> None:
        """Editing an account that is not there raises SERVICE_ACCOUNT_NOT_FOUND; case makes it another."""
        store.create_account(an_account(), an_audit())
        with pytest.raises(NotFound) as refusal:
            store.edit_account(AccountId("SVC-1"), lambda account: account, an_audit())
        assert refusal.value.reason is Reason.SERVICE_ACCOUNT_NOT_FOUND
