"""Refreshing with changes: other data of the same user, narrower limits, a shorter life."""

from __future__ import annotations

from datetime import timedelta

from authsvc.errors import Faults
from authsvc.model import Kind, Session, TokenScope, User
from authsvc.tokens.requests import RefreshRequest, ScopeRequest, UserSubject
from authsvc.tokens.rules import check_role, check_scope, json_object


def changed_session(request: RefreshRequest, session: Session) -> Session:
    """The session with the user's data and the scope that a request asks for; raises ``InvalidRequest``.

    The user stays the same one, a guest stays a guest, and limits only become narrower.
    """
    faults = Faults()
    user = session.user if request.user is None else _user(request.user, session, faults)
    scope = session.scope if request.scope is None else _scope(request.scope, session.scope, faults)
    _check_ttl(request, session, faults)
    faults.refuse_any()
    return session._replace(user=user, scope=scope)


def access_ttl(request: RefreshRequest, session: Session) -> timedelta:
    """How long the one access token of this answer lives: never longer than the session's tokens do."""
    if request.ttl is None or request.ttl.seconds <= 0:
        return session.access_ttl
    return min(timedelta(seconds=request.ttl.seconds), session.access_ttl)


def _check_ttl(request: RefreshRequest, session: Session, faults: Faults) -> None:
    if request.ttl is None:
        return
    longest = int(session.access_ttl.total_seconds())
    if request.ttl.nanos != 0:
        faults.add("ttl", "must be whole seconds")
    elif not 0 < request.ttl.seconds <= longest:
        faults.add("ttl", f"must be 1 to {longest} seconds: a refresh can only shorten the life of its token")


def _user(wanted: UserSubject, session: Session, faults: Faults) -> User:
    if wanted == UserSubject(""):
        faults.add("user", "is present but empty: leave it out, or name the id to clear everything else")
    if wanted.id not in ("", session.user.id):
        faults.add("user.id", "must be empty or the id of the session's user")
    check_role(wanted.role, "user.role", faults)
    role = wanted.role
    if session.kind is Kind.GUEST:
        if role not in ("", session.user.role):
            faults.add("user.role", "must be empty: a guest's role stays")
        role = session.user.role
    custom = None if wanted.custom is None else json_object(wanted.custom, "user.custom", faults)
    return User(session.user.id, role, wanted.name, wanted.image, custom)


def _scope(wanted: ScopeRequest, held: TokenScope, faults: Faults) -> TokenScope:
    check_scope(wanted, faults)
    if held.limited:
        for field, cids, limit in (
            ("scope.call_cids", wanted.call_cids, held.call_cids),
            ("scope.channel_cids", wanted.channel_cids, held.channel_cids),
        ):
            if not set(cids) <= set(limit):
                faults.add(field, "must be a part of what the session is limited to")
    return TokenScope(wanted.call_cids, wanted.channel_cids)
