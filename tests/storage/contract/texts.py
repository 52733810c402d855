"""What text may hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from authsvc.model import AccountId, ApiKey, KeyId, KeyState, LogLevel, SealedSecret, TokenId, User, UserId
from authsvc.storage.base import Store
from tests.storage.places import START
from tests.storage.records import (
    APP,
    SARA,
    a_key,
    a_session,
    an_account,
    an_app,
    an_audit,
    keep_app,
    keep_session,
    now_kept,
)

NUL = "a\0b"

# Every place for text that is not custom data, on a store that has the app and the account.
CALLS: dict[str, Callable[[Store], object]] = {
    "api_key": lambda store: store.create_app(an_app(NUL), a_key(NUL), an_audit()),
    "key id": lambda store: store.create_app(an_app("new"), a_key("new", key_id=KeyId(NUL)), an_audit()),
    "public key": lambda store: store.create_app(an_app("new"), a_key("new", public_jwk=NUL), an_audit()),
    "action": lambda store: store.create_app(an_app("new"), a_key("new"), an_audit(NUL)),
    "audit's subject": lambda store: store.create_app(an_app("new"), a_key("new"), an_audit(subject=NUL)),
    "audit of an edit": lambda store: store.edit_app(APP, lambda app: app, an_audit(NUL)),
    "app that is edited": lambda store: store.edit_app(ApiKey(NUL), lambda app: app, an_audit()),
    "account's name": lambda store: store.create_account(an_account("x", NUL), an_audit()),
    "account's id": lambda store: store.create_account(an_account(NUL, "x"), an_audit()),
    "account that is edited": lambda store: store.edit_account(AccountId(NUL), lambda kept: kept, an_audit()),
    "account's new name": lambda store: store.edit_account(
        AccountId("svc-1"), lambda kept: replace(kept, name=NUL), an_audit()
    ),
    "user": lambda store: store.open_session(a_session(user=User(UserId(NUL)))),
    "session's app": lambda store: store.open_session(a_session(api_key=ApiKey(NUL))),
    "caller": lambda store: store.open_session(a_session(caller=AccountId(NUL))),
    "watermark's user": lambda store: store.raise_watermark(APP, UserId(NUL), an_audit()),
    "watermark's app": lambda store: store.raise_watermark(ApiKey(NUL), SARA, an_audit()),
    "single token": lambda store: store.revoke_token(APP, TokenId(NUL), None, an_audit()),
    "single token's app": lambda store: store.revoke_token(ApiKey(NUL), TokenId("jti"), None, an_audit()),
    "token that is cleared": lambda store: store.clear_token(APP, TokenId(NUL), an_audit()),
    "user who is cleared": lambda store: store.clear_watermark(APP, UserId(NUL), an_audit()),
    "edited key's id": lambda store: store.edit_keys(
        APP, lambda keys: (*keys, a_key(key_id=KeyId(NUL), state=KeyState.PENDING)), an_audit()
    ),
    "app whose keys are edited": lambda store: store.edit_keys(ApiKey(NUL), lambda keys: keys, an_audit()),
    "level's scope": lambda store: store.set_levels([LogLevel(NUL, "debug", START)], reset=False, audit=an_audit()),
    "secret that is removed": lambda store: store.remove_secret(NUL, 1),
    "secret's purpose": lambda store: store.add_secret(SealedSecret(NUL, 1, b"s", START)),
}


class Texts:
    """NUL characters: refused where text has a column of its own, kept inside custom data."""

    @pytest.mark.parametrize("where", CALLS)
    def test_nul_is_refused_and_nothing_changes(self, store: Store, where: str) -> None:
        """A call with a NUL character in an identifier, a name or its audit raises and changes nothing."""
        keep_app(store)
        store.create_account(an_account(), an_audit())
        before = store.trust_state(), store.counts()
        with pytest.raises(ValueError, match="must not hold a NUL"):
            CALLS[where](store)
        assert (store.trust_state(), store.counts()) == before
        store.ping()

    def test_nul_in_a_reason_is_refused(self, store: Store) -> None:
        """Ending a session for a reason that holds NUL raises, and the session lives."""
        session = keep_session(store)
        with pytest.raises(ValueError, match="must not hold a NUL"):
            store.revoke_session(session.id, NUL, an_audit())
        assert now_kept(store, session) == session

    def test_nul_in_custom_data_is_kept(self, store: Store) -> None:
        """Custom data and claims may hold it, as keys and as values."""
        session = keep_session(store, user=User(SARA, name=NUL, custom={NUL: NUL}), custom_claims={NUL: [NUL]})
        assert now_kept(store, session) == session
