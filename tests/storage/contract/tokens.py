"""Ending single tokens, and taking it back."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import pytest

from authsvc.errors import NotFound, Reason
from authsvc.model import ApiKey, Commit, Gone, Revision, Subject, TokenId, TokenRevoked
from authsvc.storage.base import Store
from tests.storage.crowd import all_at_once
from tests.storage.places import START, SettableClock
from tests.storage.records import APP, an_audit, keep_app

MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
JTI = TokenId("AAAAAAAAAAF-jti_1")


class Tokens:
    """``revoke_token`` and ``clear_token``."""

    @pytest.mark.parametrize("until", [START + HOUR + MICROSECOND, None])
    def test_a_token_is_ended_with_its_rows(self, store: Store, until: datetime | None) -> None:
        """One call keeps it under one revision, tells the listener, and writes one feed and one audit row."""
        head, counts, heard = keep_app(store).revision, store.counts(), list[Commit]()
        store.listen(heard.append)
        revision = store.revoke_token(APP, JTI, until, an_audit())
        assert revision == head + 1
        revoked = TokenRevoked(APP, JTI, until, revision)
        assert tuple(store.trust_state().tokens) == (revoked,)
        assert heard == [Commit(revision, (revoked,))]
        assert store.counts() == {
            **counts,
            **{table: counts[table] + 1 for table in ("revoked_tokens", "feed", "audit")},
        }

    def test_it_is_remembered_until_then(self, store: Store, clock: SettableClock) -> None:
        """``trust_state`` shows an ended token up to its moment and not longer; one without a moment for ever."""
        keep_app(store)
        store.revoke_token(APP, JTI, START + HOUR, an_audit())
        store.revoke_token(APP, TokenId("endless"), None, an_audit())
        clock.now = START + HOUR - MICROSECOND
        assert len(store.trust_state().tokens) == 2
        clock.now = START + HOUR
        assert [token.token_id for token in store.trust_state().tokens] == ["endless"]

    @pytest.mark.parametrize(
        ("first", "again"),
        [(START + HOUR, START + HOUR), (START + HOUR, START), (None, START + HOUR), (None, None)],
    )
    def test_a_second_time_changes_nothing(self, store: Store, first: datetime | None, again: datetime | None) -> None:
        """Ending it again for no longer leaves everything as it was, and returns the revision it ended under."""
        keep_app(store)
        revision = store.revoke_token(APP, JTI, first, an_audit())
        store.revoke_token(APP, TokenId("another"), first, an_audit())
        before = store.trust_state(), store.counts()
        assert store.revoke_token(APP, JTI, again, an_audit()) == revision
        assert (store.trust_state(), store.counts()) == before

    @pytest.mark.parametrize("later", [START + HOUR + MICROSECOND, None])
    def test_a_later_moment_replaces_the_earlier(self, store: Store, later: datetime | None) -> None:
        """Ending it for longer keeps the longer, under a new revision and with an audit row."""
        keep_app(store)
        first = store.revoke_token(APP, JTI, START + HOUR, an_audit())
        counts = store.counts()
        assert store.revoke_token(APP, JTI, later, an_audit()) == first + 1
        assert tuple(store.trust_state().tokens) == (TokenRevoked(APP, JTI, later, Revision(first + 1)),)
        assert store.counts() == {**counts, "feed": counts["feed"] + 1, "audit": counts["audit"] + 1}

    def test_ids_are_exact_and_by_app(self, store: Store) -> None:
        """Ids that differ in case, and the same id in two apps, are different tokens."""
        keep_app(store)
        keep_app(store, "other")
        for api_key, token_id in [(APP, "jti"), (APP, "JTI"), (ApiKey("other"), "jti")]:
            store.revoke_token(api_key, TokenId(token_id), None, an_audit())
        assert store.clear_token(APP, TokenId("jti"), an_audit())
        assert {(token.api_key, token.token_id) for token in store.trust_state().tokens} == {
            (APP, "JTI"),
            ("other", "jti"),
        }

    def test_an_unknown_app_is_not_found(self, store: Store) -> None:
        """Ending a token of an app that is not there raises APP_NOT_FOUND and changes nothing."""
        keep_app(store)
        before = store.trust_state(), store.counts()
        with pytest.raises(NotFound) as refusal:
            store.revoke_token(ApiKey("ACME"), JTI, None, an_audit())
        assert refusal.value.reason is Reason.APP_NOT_FOUND
        assert (store.trust_state(), store.counts()) == before

    def test_of_many_at_once_one_ends_it(self, store: Store) -> None:
        """Many that end one token at the same time all get the one revision it ended under."""
        head = keep_app(store).revision
        calls = [partial(store.revoke_token, APP, JTI, None, an_audit()) for _ in range(16)]
        assert all_at_once(calls) == [head + 1] * 16
        assert store.trust_state().revision == head + 1

    def test_clearing_takes_it_back(self, store: Store) -> None:
        """A cleared token is no longer kept; listeners and followers hear that it is gone, the audit has its row."""
        keep_app(store)
        revoked = store.revoke_token(APP, JTI, None, an_audit())
        counts, heard = store.counts(), list[Commit]()
        store.listen(heard.append)
        assert store.clear_token(APP, JTI, an_audit()) == revoked + 1
        revision = Revision(revoked + 1)
        assert heard == [Commit(revision, (Gone(Subject.TOKEN, APP, JTI, revision),))]
        page = store.changes_since(revoked)
        assert page is not None
        assert list(page.commits) == heard
        assert tuple(store.trust_state().tokens) == ()
        assert store.counts()["audit"] == counts["audit"] + 1

    def test_clearing_what_is_not_there_changes_nothing(self, store: Store) -> None:
        """Clearing an unknown token, or one that was cleared, says None and audits nothing; it can end again."""
        keep_app(store)
        store.revoke_token(APP, JTI, None, an_audit())
        assert store.clear_token(APP, JTI, an_audit())
        before = store.trust_state(), store.counts()
        for api_key, token_id in [(APP, JTI), (APP, "other"), (ApiKey("nobody"), JTI)]:
            assert store.clear_token(api_key, TokenId(token_id), an_audit()) is None
        assert (store.trust_state(), store.counts()) == before
        assert store.revoke_token(APP, JTI, None, an_audit()) == before[0].revision + 1
