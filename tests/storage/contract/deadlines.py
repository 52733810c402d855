"""Deadlines: passed means not done, begun means finished."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial

import pytest

from authsvc.clock import Deadline, deadline_after, seconds_left
from authsvc.errors import DeadlinePassed, Reason
from authsvc.model import App
from authsvc.storage.base import Store
from tests.storage.contract.methods import TIMED
from tests.storage.crowd import Background, Held
from tests.storage.records import APP, an_account, an_audit, keep_app, keep_session, now_kept

PASSED = Deadline(0.0)


class Deadlines:
    """``deadline``: passed means not done, begun means finished."""

    @pytest.mark.parametrize("method", TIMED)
    def test_a_passed_deadline_does_nothing(self, store: Store, method: str) -> None:
        """A call whose deadline has passed raises DEADLINE_EXCEEDED and changes nothing; with time it succeeds."""
        session = keep_session(store)
        store.create_account(an_account(), an_audit())
        before = store.trust_state(), store.counts(), now_kept(store, session)
        with pytest.raises(DeadlinePassed) as refusal:
            TIMED[method](store, session, deadline=PASSED)
        assert refusal.value.reason is Reason.DEADLINE_EXCEEDED
        assert (store.trust_state(), store.counts(), now_kept(store, session)) == before
        TIMED[method](store, session, deadline=deadline_after(30))

    def test_a_deadline_that_passes_in_the_queue_withdraws(self, store: Store) -> None:
        """A caller whose deadline passes while its change waits for another is told, and the change is never made."""
        keep_app(store)
        held = Held()
        begun = Background(partial(store.edit_app, APP, held, an_audit()))
        held.wait_until_reached()
        let_live = partial(store.edit_app, APP, lambda app: replace(app, ever_non_expiring=True), an_audit())
        with pytest.raises(DeadlinePassed):
            let_live(deadline=deadline_after(0.05))
        held.release()
        edited = begun.outcome()
        store.ping()  # whatever waited has been dealt with
        assert store.trust_state().apps == (edited,)
        assert let_live(deadline=deadline_after(30)).ever_non_expiring

    def test_what_was_begun_is_waited_for(self, store: Store) -> None:
        """A change that was begun in time is acknowledged though its deadline passes meanwhile."""
        keep_app(store)
        deadline = deadline_after(0.05)

        def dawdle(app: App) -> App:
            while (left := seconds_left(deadline)) > 0:
                threading.Event().wait(left)
            return replace(app, ever_non_expiring=True)

        edited = store.edit_app(APP, dawdle, an_audit(), deadline=deadline)
        assert store.trust_state().apps == (edited,)
        assert edited.ever_non_expiring
