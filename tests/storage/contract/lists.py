"""Lists of an app's sessions and revocations, a page at a time."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from authsvc.model import (
    ApiKey,
    Revision,
    Session,
    SessionId,
    SessionRevoked,
    Subject,
    TokenId,
    TokenRevoked,
    User,
    UserId,
    session_text,
)
from authsvc.model import Watermark as Mark
from authsvc.storage.base import Revocation, Store
from tests.storage.places import START, SettableClock
from tests.storage.records import APP, SARA, an_audit, keep_app, keep_session, turn

HOUR = timedelta(hours=1)
TOM = UserId("tom")


def numbered(store: Store, number: int, **changes: object) -> Session:
    """A session whose id is that number, so that the order of ids is known."""
    return keep_session(store, id=SessionId(uuid.UUID(int=number).bytes), **changes)


def ids(store: Store, api_key: str = APP, **options: object) -> list[int]:
    """The numbers of the sessions in a list."""
    found = store.list_sessions(ApiKey(api_key), **options)  # type: ignore[arg-type]
    return [int.from_bytes(state.session.id) for state in found]


def name_of(revocation: Revocation) -> str:
    """What the feed calls it."""
    match revocation:
        case SessionRevoked():
            return session_text(revocation.session_id)
        case TokenRevoked():
            return revocation.token_id
        case Mark():
            return revocation.user_id or ""


def names(store: Store, kind: Subject, **options: object) -> list[str]:
    """What the revocations of a kind are called, in the order of the list."""
    return [name_of(each) for each in store.list_revocations(APP, kind=kind, **options)]  # type: ignore[arg-type]


class Lists:
    """``list_sessions`` and ``list_revocations``."""

    def test_a_session_is_shown_as_it_is(self, store: Store, clock: SettableClock) -> None:
        """An entry is what ``session_state`` says of the session, the present included."""
        session = keep_session(store)
        clock.advance(HOUR)
        turn(store, session)
        for now in (START, START + 2 * HOUR):  # before and after the turn
            clock.now = now
            state = store.session_state(session.id)
            assert store.list_sessions(APP) == (state,)

    def test_pages_follow_each_other_by_id(self, store: Store) -> None:
        """Pages of any size, each after the last id of the one before, hold every session once and in order."""
        for number in (5, 1, 4, 256, 2, 3):
            numbered(store, number, user=User(SARA if number % 2 else TOM))
        for user, expected in [(None, [1, 2, 3, 4, 5, 256]), (SARA, [1, 3, 5]), (TOM, [2, 4, 256])]:
            for limit in (1, 2, 50):
                seen: list[int] = []
                after = None
                while page := store.list_sessions(APP, user_id=user, after=after, limit=limit):
                    assert len(page) <= limit
                    seen += [int.from_bytes(state.session.id) for state in page]
                    after = page[-1].session.id
                assert seen == expected

    def test_only_that_apps_and_that_users(self, store: Store) -> None:
        """Sessions of other apps and users, and of names that differ in case, are not in the list."""
        numbered(store, 1)
        numbered(store, 2, user=User(UserId("Sara")))
        numbered(store, 3, api_key=ApiKey("other"))
        numbered(store, 4, api_key=ApiKey("ACME"))
        assert ids(store) == [1, 2]
        assert ids(store, user_id=SARA) == [1]
        assert ids(store, "other", user_id=SARA) == [3]
        assert ids(store, "nobody") == []

    def test_ended_sessions_only_when_asked_for(self, store: Store, clock: SettableClock) -> None:
        """Revoked, covered and expired sessions are left out, unless ended ones are to be included."""
        numbered(store, 1)
        store.revoke_session(SessionId(uuid.UUID(int=1).bytes), "logout", an_audit())
        numbered(store, 2, user=User(TOM))
        store.raise_watermark(APP, TOM, an_audit())
        numbered(store, 3, idle_expires_at=START + HOUR)
        numbered(store, 4, absolute_expires_at=START + HOUR)
        numbered(store, 5)
        numbered(store, 6, user=User(TOM))
        clock.advance(HOUR - timedelta(microseconds=1))
        assert ids(store) == [3, 4, 5, 6]
        clock.advance(timedelta(microseconds=1))
        assert ids(store) == [5, 6]
        assert ids(store, include_ended=True) == [1, 2, 3, 4, 5, 6]
        assert ids(store, user_id=TOM) == [6]
        covered = [state.covered for state in store.list_sessions(APP, include_ended=True)]
        assert covered == [False, True, False, False, False, False]
        store.raise_watermark(APP, None, an_audit())
        assert ids(store) == []

    def test_a_clock_that_goes_backwards_shows_no_expired_session(self, store: Store, clock: SettableClock) -> None:
        """What had expired when it last turned is not alive again for an earlier clock."""
        numbered(store, 1, rotated_at=START + HOUR, idle_expires_at=START + HOUR)
        numbered(store, 2, rotated_at=START + HOUR)
        clock.now = START
        assert ids(store) == [2]

    def test_revocations_of_each_kind(self, store: Store) -> None:
        """Each kind is listed as ``trust_state`` has it, the app's own watermark first, and only those of the app."""
        for api_key in ("other", APP):
            session = keep_session(store, api_key=ApiKey(api_key))
            store.revoke_session(session.id, "logout", an_audit())
            store.revoke_token(ApiKey(api_key), TokenId("jti"), None, an_audit())
            for user in (SARA, None):
                store.raise_watermark(ApiKey(api_key), user, an_audit())
        state = store.trust_state()
        kept: dict[Subject, Sequence[Revocation]] = {
            Subject.SESSION: state.sessions,
            Subject.TOKEN: state.tokens,
            Subject.WATERMARK: state.watermarks,
        }
        for kind, everything in kept.items():
            mine = [each for each in everything if each.api_key == APP]
            assert list(store.list_revocations(APP, kind=kind)) == mine
        assert names(store, Subject.WATERMARK) == ["", SARA]

    @pytest.mark.parametrize("kind", [Subject.SESSION, Subject.TOKEN, Subject.WATERMARK])
    def test_pages_follow_each_other_by_name(self, store: Store, kind: Subject) -> None:
        """Pages of any size, each after the name of the last one read, hold every revocation once and in order."""
        for number in (5, 1, 4, 10, 2):
            store.revoke_session(numbered(store, number).id, "logout", an_audit())
            store.revoke_token(APP, TokenId(f"jti-{number}"), START + HOUR, an_audit())
            store.raise_watermark(APP, UserId(f"user-{number}"), an_audit())
        store.raise_watermark(APP, None, an_audit())
        whole = names(store, kind)
        assert whole == sorted(whole)
        assert len(whole) == (6 if kind is Subject.WATERMARK else 5)
        for limit in (1, 2, 5):
            seen: list[str] = []
            while page := names(store, kind, after=seen[-1] if seen else None, limit=limit):
                assert len(page) <= limit
                seen += page
            assert seen == whole

    def test_one_users_revocations(self, store: Store) -> None:
        """With a user only its watermark and its sessions are listed, and no tokens: they are not known by user."""
        for user in (SARA, TOM):
            store.revoke_session(keep_session(store, user=User(user)).id, "logout", an_audit())
            store.raise_watermark(APP, user, an_audit())
        store.raise_watermark(APP, None, an_audit())
        store.revoke_token(APP, TokenId("jti"), None, an_audit())
        assert names(store, Subject.WATERMARK, user_id=SARA) == [SARA]
        assert names(store, Subject.WATERMARK, user_id=SARA, after=SARA) == []
        (listed,) = names(store, Subject.SESSION, user_id=SARA)
        assert listed == session_text(store.list_sessions(APP, user_id=SARA, include_ended=True)[0].session.id)
        assert names(store, Subject.TOKEN, user_id=SARA) == []

    def test_what_no_longer_matters_is_not_listed(self, store: Store, clock: SettableClock) -> None:
        """Tokens past their moment and sessions past their last token's are left out, as in ``trust_state``."""
        session = keep_session(store)
        store.revoke_session(session.id, "logout", an_audit())
        store.revoke_token(APP, TokenId("jti"), START + HOUR, an_audit())
        assert len(names(store, Subject.TOKEN)) == len(names(store, Subject.SESSION)) == 1
        clock.now = START + HOUR
        assert names(store, Subject.TOKEN) == []
        clock.now = next(iter(store.trust_state().sessions)).until
        assert names(store, Subject.SESSION) == []

    def test_a_cleared_watermark_shows_its_other_part(self, store: Store) -> None:
        """What is left of a watermark after clearing is about sessions, and is listed."""
        keep_app(store)
        store.raise_watermark(APP, SARA, an_audit())
        (mark,) = store.list_revocations(APP, kind=Subject.WATERMARK)
        store.clear_watermark(APP, SARA, an_audit())
        (left,) = store.list_revocations(APP, kind=Subject.WATERMARK)
        assert isinstance(mark, Mark)
        assert left == replace(
            mark, tokens_revision=Revision(0), tokens_revoked_at=None, revision=Revision(mark.revision + 1)
        )

    @pytest.mark.parametrize("kind", [Subject.APP, Subject.KEY, Subject.ACCOUNT])
    def test_other_kinds_are_not_revoked(self, store: Store, kind: Subject) -> None:
        """Asking for a kind that cannot be revoked is a mistake of the program."""
        with pytest.raises(ValueError, match="not revoked"):
            store.list_revocations(APP, kind=kind)

    def test_a_page_after_nothing_of_that_kind_is_refused(self, store: Store) -> None:
        """What is no session's id is no place to go on from; any text is one among names."""
        keep_app(store)
        for after in ("", "jti", "zz" * 16):
            with pytest.raises(ValueError, match="a session's id"):
                store.list_revocations(APP, kind=Subject.SESSION, after=after)
            assert names(store, Subject.TOKEN, after=after) == []

    def test_no_user_has_an_empty_id(self, store: Store) -> None:
        """An empty user id is a mistake of the program: it must never be taken for the whole app."""
        keep_app(store)
        store.raise_watermark(APP, None, an_audit())
        with pytest.raises(ValueError, match="empty user id"):
            store.list_revocations(APP, kind=Subject.WATERMARK, user_id=UserId(""))
        with pytest.raises(ValueError, match="empty user id"):
            store.list_sessions(APP, user_id=UserId(""))
