"""Taking back what a watermark says about tokens."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from authsvc.model import ApiKey, Commit, Revision, UserId, Watermark
from authsvc.storage.base import Store
from tests.storage.places import START
from tests.storage.records import APP, SARA, an_audit, keep_app, keep_session, turn

HOUR = timedelta(hours=1)


class Clearing:
    """``clear_watermark``."""

    @pytest.mark.parametrize("whom", [SARA, None])
    @pytest.mark.parametrize("before", [None, START + HOUR])
    def test_the_parts_about_tokens_go(self, store: Store, whom: UserId | None, before: datetime | None) -> None:
        """The three parts about tokens are taken back under a new revision; those about sessions stay as they were."""
        keep_app(store)
        store.raise_watermark(APP, whom, an_audit(), issued_before=before)
        (mark,) = store.trust_state().watermarks
        counts, heard = store.counts(), list[Commit]()
        store.listen(heard.append)
        assert store.clear_watermark(APP, whom, an_audit()) == mark.revision + 1
        cleared = replace(
            mark,
            tokens_revision=Revision(0),
            tokens_revoked_at=None,
            tokens_issued_before=None,
            revision=Revision(mark.revision + 1),
        )
        assert tuple(store.trust_state().watermarks) == (cleared,)
        assert heard == [Commit(cleared.revision, (cleared,))]
        assert store.counts() == {**counts, "feed": counts["feed"] + 1, "audit": counts["audit"] + 1}

    def test_ended_sessions_stay_ended(self, store: Store) -> None:
        """A session that the watermark covered does not turn after it was cleared."""
        session = keep_session(store)
        store.raise_watermark(APP, SARA, an_audit())
        assert store.clear_watermark(APP, SARA, an_audit())
        state = store.session_state(session.id)
        assert state is not None
        assert state.covered
        assert turn(store, session) is None
        assert turn(store, keep_session(store)) is not None

    def test_nothing_to_take_back(self, store: Store) -> None:
        """Clearing what was never raised or was cleared says None, and changes and audits nothing."""
        keep_app(store)
        store.raise_watermark(APP, SARA, an_audit())
        assert store.clear_watermark(APP, SARA, an_audit())
        before = store.trust_state(), store.counts()
        for api_key, user in [(APP, SARA), (APP, UserId("Sara")), (APP, None), (ApiKey("nobody"), SARA)]:
            assert store.clear_watermark(api_key, user, an_audit()) is None
        assert (store.trust_state(), store.counts()) == before

    def test_only_that_one_is_cleared(self, store: Store) -> None:
        """Watermarks of the app, of other users and of other apps stay."""
        keep_app(store)
        keep_app(store, "other")
        marks = [(APP, None), (APP, SARA), (APP, UserId("Sara")), (ApiKey("other"), SARA)]
        for api_key, user in marks:
            store.raise_watermark(api_key, user, an_audit())
        store.clear_watermark(APP, SARA, an_audit())
        cleared = [(mark.api_key, mark.user_id) for mark in store.trust_state().watermarks if not mark.tokens_revision]
        assert cleared == [(APP, SARA)]

    def test_no_user_has_an_empty_id(self, store: Store) -> None:
        """An empty user id is a mistake of the program: it must never be taken for the whole app."""
        keep_app(store)
        store.raise_watermark(APP, None, an_audit())
        before = store.trust_state()
        with pytest.raises(ValueError, match="empty user id"):
            store.clear_watermark(APP, UserId(""), an_audit())
        assert store.trust_state() == before

    def test_it_can_be_raised_again(self, store: Store) -> None:
        """After clearing, a new revoke sets the parts about tokens to its own values."""
        keep_app(store)
        store.raise_watermark(APP, SARA, an_audit(), issued_before=START + HOUR)
        store.clear_watermark(APP, SARA, an_audit())
        revision = store.raise_watermark(APP, SARA, an_audit())
        expected = Watermark(APP, SARA, revision, START, None, revision, START + HOUR, revision, START)
        assert tuple(store.trust_state().watermarks) == (expected,)
