"""Opening, closing and opening again."""

from __future__ import annotations

from functools import partial

import pytest

from authsvc.errors import Reason, Unavailable
from authsvc.model import App
from authsvc.storage.base import SealedSecret, Store
from tests.storage.contract.methods import TIMED, UNTIMED
from tests.storage.crowd import Background, Held, all_at_once
from tests.storage.places import START, Place, SettableClock
from tests.storage.records import APP, an_account, an_audit, keep_app, keep_session, now_kept


class Lifetime:
    """Opening, closing and opening again."""

    def test_a_new_store_is_empty_and_well(self, store: Store) -> None:
        """A new store holds nothing, has an epoch between 1 and 65535, and answers a ping."""
        state = store.trust_state()
        assert (state.apps, state.keys, state.accounts) == ((), (), ())
        assert (tuple(state.sessions), tuple(state.tokens), tuple(state.watermarks)) == ((), (), ())
        assert (state.secrets, state.levels) == ((), ())
        assert 1 <= store.epoch <= 65535
        store.ping()

    def test_a_second_start_keeps_everything(self, store: Store, place: Place, clock: SettableClock) -> None:
        """What was acknowledged is there after closing and opening again."""
        session = keep_session(store)
        store.create_account(an_account(), an_audit())
        store.raise_watermark(APP, None, an_audit(), issued_before=START)
        store.add_secret(SealedSecret("mac", 0, b"s", START))
        before = store.trust_state(), store.counts(), store.secrets("mac"), store.epoch
        store.close()
        again = place.open(clock=clock)
        assert (again.trust_state(), again.counts(), again.secrets("mac"), again.epoch) == before
        assert now_kept(again, session) == session

    @pytest.mark.parametrize("method", [*TIMED, *UNTIMED])
    def test_a_closed_store_refuses(self, store: Store, method: str) -> None:
        """After ``close`` every method raises STORE_UNAVAILABLE."""
        session = keep_session(store)
        store.close()
        with pytest.raises(Unavailable) as refusal:
            (TIMED | UNTIMED)[method](store, session)
        assert refusal.value.reason is Reason.STORE_UNAVAILABLE

    def test_closing_twice_is_harmless(self, store: Store) -> None:
        """A second ``close``, and many at once, do nothing more."""
        assert all_at_once([store.close] * 8) == [None] * 8
        store.close()

    def test_closing_finishes_what_was_begun(self, store: Store, place: Place, clock: SettableClock) -> None:
        """A change that was begun before ``close`` is finished and acknowledged; the rest is done or refused."""
        keep_app(store)
        held = Held()
        begun = Background(partial(store.edit_app, APP, held, an_audit()))
        held.wait_until_reached()
        waiting = [Background(partial(keep_app, store, f"app-{i}")) for i in range(8)]
        closing = Background(store.close)
        held.release()
        assert closing.outcome() is None
        edited = begun.outcome()
        assert isinstance(edited, App)
        outcomes = [call.outcome() for call in waiting]
        made = {outcome.api_key for outcome in outcomes if isinstance(outcome, App)}
        assert all(isinstance(outcome, App | Unavailable) for outcome in outcomes)
        kept = place.open(clock=clock).trust_state().apps
        assert {app.api_key for app in kept} == {APP} | made
        assert edited in kept
