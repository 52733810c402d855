"""Sessions: how they begin and how they are read."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from types import MappingProxyType

import pytest

from authsvc.errors import NotFound, Reason
from authsvc.model import AccountId, ApiKey, Kind, SessionId, TokenScope, User, UserId
from authsvc.storage.base import Store
from tests.storage.crowd import all_at_once
from tests.storage.places import START, SettableClock
from tests.storage.records import APP, SARA, a_session, an_audit, keep_app, keep_session, now_kept, turn

NESTED = {"a": [1, 2.5, None, True, {"b": "\u00e9\U0001f511\0"}], "": {}, "whole": 1.0, "large": 2**53}


class Sessions:
    """``open_session`` and ``session_state``."""

    def test_a_session_comes_back_as_it_was(self, store: Store) -> None:
        """Every field survives, moments to the microsecond; only ``created_revision`` is the store's."""
        revision = keep_app(store).revision
        session = a_session(
            id=SessionId(bytes(16)),
            kind=Kind.GUEST,
            user=User(UserId("guest-1-o'hara"), "host", "O'Hara \u00e9", "https://i.example/?a=b", NESTED),
            scope=TokenScope(("default:a", "default:b"), ("messaging:!c",)),
            audience=("b", "a"),
            custom_claims=NESTED,
            access_ttl=timedelta(days=400, microseconds=1),
            generation=2**32 - 2,
            rotated_at=START + timedelta(microseconds=1),
            request_id_hash=bytes(range(32)),
            created_at=START - timedelta(microseconds=1),
            idle_expires_at=START + timedelta(days=1, microseconds=999999),
            absolute_expires_at=START + timedelta(days=36500),
            caller=AccountId("svc-'1"),
            opened_public=True,
        )
        expected = session._replace(created_revision=revision)
        assert store.open_session(session) == expected
        assert now_kept(store, session) == expected

    @pytest.mark.parametrize("custom", [None, {}, MappingProxyType({"a": MappingProxyType({"b": 1})})])
    def test_what_is_not_set_stays_not_set(self, store: Store, custom: dict[str, object] | None) -> None:
        """No custom data, empty custom data and a read-only view of some come back equal."""
        session = keep_session(store, user=User(SARA, custom=custom))
        assert now_kept(store, session).user == User(SARA, custom=custom)

    def test_an_ended_session_can_be_kept_too(self, store: Store) -> None:
        """The columns of a revocation survive like all others."""
        session = keep_session(store, revoked_at=START + timedelta(microseconds=5), revoke_reason="logout")
        assert now_kept(store, session) == session

    def test_a_session_is_opened_once(self, store: Store) -> None:
        """A second opening returns the session that is kept, unchanged, however far it has moved."""
        session = keep_session(store)
        turned = turn(store, session)
        again = store.open_session(session._replace(user=User(UserId("other")), kind=Kind.ANONYMOUS))
        assert again == turned == now_kept(store, session)
        assert store.counts()["sessions"] == 1

    def test_many_that_open_one_session_get_the_same(self, store: Store) -> None:
        """Of many that open one id at the same time, all get the one that is kept."""
        keep_app(store)
        wanted = [a_session(id=SessionId(b"x" * 16), user=User(UserId(f"user-{i}"))) for i in range(16)]
        outcomes = all_at_once([partial(store.open_session, session) for session in wanted])
        assert outcomes == [now_kept(store, wanted[0])] * 16

    def test_the_store_says_when_a_session_began(self, store: Store) -> None:
        """``created_revision`` is the feed's revision at that moment, whatever the caller wrote there."""
        keep_app(store)
        session = keep_session(store, created_revision=999)
        assert session.created_revision == store.trust_state().revision
        revoked_at = store.raise_watermark(APP, None, an_audit())
        assert keep_session(store).created_revision == revoked_at

    def test_no_revision_is_spent(self, store: Store) -> None:
        """Sessions that begin or turn leave the revision, the feed and the audit as they are."""
        keep_app(store)
        before = store.trust_state(), store.counts()
        session = keep_session(store)
        assert turn(store, session)
        assert store.trust_state() == before[0]
        assert store.counts() == {**before[1], "sessions": 1}

    def test_a_session_of_an_unknown_app_is_refused(self, store: Store) -> None:
        """Opening a session for an app that is not there raises APP_NOT_FOUND; case makes it another app."""
        keep_app(store)
        with pytest.raises(NotFound) as refusal:
            store.open_session(a_session(api_key=ApiKey(APP.upper())))
        assert refusal.value.reason is Reason.APP_NOT_FOUND
        assert store.counts()["sessions"] == 0

    def test_an_unknown_session_is_none(self, store: Store) -> None:
        """Reading a session that is not there gives None."""
        session = keep_session(store)
        assert store.session_state(SessionId(session.id[::-1])) is None

    def test_the_stores_clock_is_never_before_the_rotation(self, store: Store, clock: SettableClock) -> None:
        """``now`` is the store's clock, but not before ``rotated_at`` when that clock goes backwards."""
        session = keep_session(store)
        later = clock.advance(timedelta(hours=1))
        turn(store, session)
        state = store.session_state(session.id)
        assert state is not None
        assert state.now == later
        clock.advance(timedelta(hours=-2))
        state = store.session_state(session.id)
        assert state is not None
        assert state.now == state.session.rotated_at == later
