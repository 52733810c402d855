"""Records to keep: each function makes a complete one, and takes what the test cares about."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

from authsvc.model import (
    AccountId,
    Algorithm,
    ApiKey,
    App,
    AppSettings,
    AuditEvent,
    Credential,
    CredentialId,
    KeyId,
    KeyRecord,
    KeyState,
    Kind,
    Permission,
    Profile,
    Revision,
    ServiceAccount,
    Session,
    SessionId,
    TokenScope,
    User,
    UserId,
)
from authsvc.storage.base import Store
from tests.storage.places import START

APP = ApiKey("acme")
SARA = UserId("sara")
IDLE = timedelta(days=14)
WHOLE = timedelta(days=90)


def an_app(api_key: str = APP, **changes: Any) -> App:
    app = App(
        api_key=ApiKey(api_key),
        settings=AppSettings(),
        longest_ttl_ever=timedelta(hours=1),
        longest_session_ever=WHOLE,
        ever_non_expiring=False,
        past_issuers=(),
        version=1,
        revision=Revision(0),
        created_at=START,
        updated_at=START,
    )
    return replace(app, **changes)


def a_key(api_key: str = APP, **changes: Any) -> KeyRecord:
    key = KeyRecord(
        api_key=ApiKey(api_key),
        key_id=KeyId("key-1"),
        algorithm=Algorithm.ES256,
        state=KeyState.ACTIVE,
        sealed=b"\x00sealed\xff",
        public_jwk='{"kty":"EC"}',
        created_at=START,
        activated_at=START,
        retired_at=None,
        revoked_at=None,
        imported=False,
        revision=Revision(0),
    )
    return replace(key, **changes)


def an_account(account_id: str = "svc-1", name: str = "edge", **changes: Any) -> ServiceAccount:
    account = ServiceAccount(
        id=AccountId(account_id),
        name=name,
        permissions=frozenset({Permission.TOKENS_ISSUE, Permission.TOKENS_VALIDATE}),
        all_apps=False,
        apps=frozenset({APP}),
        audiences=("https://api.example",),
        disabled=False,
        credentials=(a_credential(),),
        version=1,
        revision=Revision(0),
        created_at=START,
        updated_at=START,
    )
    return replace(account, **changes)


def a_credential(name: str = "cred-1") -> Credential:
    return Credential(CredentialId(name), name.encode().ljust(32, b"\0"), START)


def a_session(**changes: Any) -> Session:
    session = Session(
        id=SessionId(uuid.uuid4().bytes),
        api_key=APP,
        kind=Kind.USER,
        user=User(SARA, role="host", name="Sara"),
        scope=TokenScope(),
        audience=(),
        custom_claims={},
        profile=Profile.CLASSIC,
        access_ttl=timedelta(minutes=15),
        generation=0,
        rotated_at=START,
        request_id_hash=b"",
        created_revision=Revision(0),
        created_at=START,
        idle_expires_at=START + IDLE,
        absolute_expires_at=START + WHOLE,
        revoked_at=None,
        revoke_reason="",
        caller=AccountId("svc-1"),
        opened_public=False,
    )
    return session._replace(**changes)


def an_audit(action: str = "tests.act", **changes: Any) -> AuditEvent:
    return replace(AuditEvent(START, action, "svc-1", APP, "sara", "ok", "because"), **changes)


def keep_app(store: Store, api_key: str = APP) -> App:
    """Keep an app with its first key."""
    return store.create_app(an_app(api_key), a_key(api_key), an_audit())


def keep_session(store: Store, **changes: Any) -> Session:
    """Keep a session, and its app where that is missing."""
    session = a_session(**changes)
    if session.api_key not in {app.api_key for app in store.trust_state().apps}:
        keep_app(store, session.api_key)
    return store.open_session(session)


def turn(store: Store, session: Session, generation: int | None = None, **options: Any) -> Session | None:
    """Turn a session from its generation, or from another one."""
    return store.turn_session(
        session.id,
        session.generation if generation is None else generation,
        request_id_hash=options.pop("request_id_hash", b"r" * 32),
        idle_ttl=options.pop("idle_ttl", IDLE),
        **options,
    )


def now_kept(store: Store, session: Session) -> Session:
    """The session as the store has it now."""
    state = store.session_state(session.id)
    assert state is not None
    return state.session
