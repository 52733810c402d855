"""Every method of the contract as a call, for rules that hold for all of them."""

from __future__ import annotations

from collections.abc import Callable

from authsvc.model import LogLevel, Revision, SealedSecret, Subject
from authsvc.storage.base import AuditFilter, Turn
from tests.storage.places import START
from tests.storage.records import APP, IDLE, SARA, a_key, a_session, an_account, an_app, an_audit, turn

LEVEL = LogLevel("storage", "debug", START)

# Every method that takes a deadline, on a store that has app, account svc-1 and the session it is given.
TIMED: dict[str, Callable[..., object]] = {
    "ping": lambda store, session, **late: store.ping(**late),
    "create_app": lambda store, session, **late: store.create_app(an_app("new"), a_key("new"), an_audit(), **late),
    "edit_app": lambda store, session, **late: store.edit_app(APP, lambda app: app, an_audit(), **late),
    "create_account": lambda store, session, **late: store.create_account(an_account("x", "x"), an_audit(), **late),
    "edit_account": lambda store, session, **late: store.edit_account("svc-1", lambda kept: kept, an_audit(), **late),
    "open_session": lambda store, session, **late: store.open_session(a_session(), **late),
    "session_state": lambda store, session, **late: store.session_state(session.id, **late),
    "turn_session": lambda store, session, **late: turn(store, session, **late),
    "session_states": lambda store, session, **late: store.session_states([session.id], **late),
    "turn_sessions": lambda store, session, **late: store.turn_sessions([Turn(session.id, 0, b"", IDLE)], **late),
    "revoke_session": lambda store, session, **late: store.revoke_session(session.id, "logout", an_audit(), **late),
    "raise_watermark": lambda store, session, **late: store.raise_watermark(APP, SARA, an_audit(), **late),
    "revoke_token": lambda store, session, **late: store.revoke_token(APP, "jti", None, an_audit(), **late),
    "clear_token": lambda store, session, **late: store.clear_token(APP, "jti", an_audit(), **late),
    "clear_watermark": lambda store, session, **late: store.clear_watermark(APP, SARA, an_audit(), **late),
    "list_sessions": lambda store, session, **late: store.list_sessions(APP, **late),
    "list_revocations": lambda store, session, **late: store.list_revocations(APP, kind=Subject.TOKEN, **late),
    "list_audit": lambda store, session, **late: store.list_audit(AuditFilter(), **late),
    "changes_since": lambda store, session, **late: store.changes_since(Revision(0), **late),
    "edit_keys": lambda store, session, **late: store.edit_keys(APP, lambda keys: (), an_audit(), **late),
    "set_levels": lambda store, session, **late: store.set_levels([LEVEL], reset=True, audit=an_audit(), **late),
}

UNTIMED: dict[str, Callable[..., object]] = {
    "trust_state": lambda store, session: store.trust_state(),
    "secrets": lambda store, session: store.secrets("mac"),
    "add_secret": lambda store, session: store.add_secret(SealedSecret("mac", 0, b"s", START)),
    "replace_secret": lambda store, session: store.replace_secret(SealedSecret("mac", 0, b"s", START), b""),
    "remove_secret": lambda store, session: store.remove_secret("mac", 0),
    "purge": lambda store, session: store.purge(limit=1, keep_revisions=1),
    "counts": lambda store, session: store.counts(),
}
