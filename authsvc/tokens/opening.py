"""Opening the session of a refreshable token, once, however often the request is repeated."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from authsvc.clock import Deadline
from authsvc.model import Principal, Revision, Session, SessionId
from authsvc.storage.base import Store
from authsvc.tokens.derived_ids import first_generation
from authsvc.tokens.lifetimes import access_ttl
from authsvc.tokens.mint import Grant, Mint, MintedToken
from authsvc.tokens.requests import IssueRequest
from authsvc.tokens.sessions import refuse_ended
from authsvc.trust.view import AppTrust


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session with a fresh access token of it. ``now``: by this call, and not by an earlier delivery of it."""

    session: Session
    minted: MintedToken
    now: bool


def request_id_hash(request_id: str) -> bytes:
    """What is kept of a request id: its SHA-256, or nothing of an empty one."""
    return hashlib.sha256(request_id.encode()).digest() if request_id else b""


def open_session(
    store: Store,
    mint: Mint,
    trust: AppTrust,
    principal: Principal,
    request: IssueRequest,
    grant: Grant,
    *,
    session_id: SessionId,
    deadline: Deadline | None,
) -> OpenedSession:
    """Open the session, or find the one that an earlier delivery of this request opened.

    The token is minted first: what cannot be minted opens nothing. Raises ``RefreshRefused`` when the session of a
    repeated request has ended.
    """
    minted = mint.mint(trust, grant._replace(session_id=session_id))
    fresh = _new_session(mint, trust, principal, request, grant, session_id)
    kept = store.open_session(fresh, deadline=deadline)
    opened_now = kept._replace(created_revision=fresh.created_revision) == fresh
    if opened_now and not request.request_id:
        return OpenedSession(kept, minted, now=True)
    # It may be the session of an earlier delivery, which may have ended: the store knows.
    state = store.session_state(session_id, deadline=deadline)
    if state is None:  # purged between the two statements: it had ended long ago
        return open_session(store, mint, trust, principal, request, grant, session_id=session_id, deadline=deadline)
    refuse_ended(state)
    if opened_now:
        return OpenedSession(kept, minted, now=True)
    return OpenedSession(state.session, mint.mint_for_session(trust, state.session), now=False)


def _new_session(
    mint: Mint, trust: AppTrust, principal: Principal, request: IssueRequest, grant: Grant, session_id: SessionId
) -> Session:
    now, settings = mint.now(), trust.app.settings
    absolute = now + settings.session_max_ttl
    return Session(
        id=session_id,
        api_key=trust.app.api_key,
        kind=grant.kind,
        user=grant.user,
        scope=grant.scope,
        audience=grant.audience,
        custom_claims=grant.custom_claims,
        profile=settings.profile,
        access_ttl=access_ttl(request.lifetime, settings),
        generation=first_generation(session_id, now),
        rotated_at=now,
        request_id_hash=b"",
        created_revision=Revision(0),
        created_at=now,
        idle_expires_at=min(now + settings.session_idle_ttl, absolute),
        absolute_expires_at=absolute,
        revoked_at=None,
        revoke_reason="",
        caller=principal.account_id,
        opened_public=principal.public,
    )
