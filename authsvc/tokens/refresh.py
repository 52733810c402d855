"""RefreshToken: rotation that survives races and lost replies, and ends the session when two parties hold the chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from authsvc.clock import Deadline
from authsvc.errors import AuthError, CallerForbidden, Faults, Reason, RefreshRefused, Unavailable
from authsvc.model import AuditEvent, Principal, Session, session_text
from authsvc.storage.base import SessionState, Store
from authsvc.tokens.audit import TokenAudit
from authsvc.tokens.changes import access_ttl, changed_session
from authsvc.tokens.lines import TokenLines
from authsvc.tokens.mint import Mint, MintedToken
from authsvc.tokens.opening import request_id_hash
from authsvc.tokens.refresh_token import RefreshTicket, RefreshTokens
from authsvc.tokens.requests import RefreshRequest
from authsvc.tokens.rules import check_request_id
from authsvc.tokens.sessions import Fate, Presented, judge
from authsvc.tokens.subjects import allow_kind
from authsvc.trust.access import known_app
from authsvc.trust.view import AppTrust, TrustView

MOST_TRIES = 16
"""A lost race is decided on the second try, by a row that changed meanwhile: more would be a fault of the store."""


class RefreshedToken(NamedTuple):
    """The answer; ``rotated`` is False for a token that was given out before and is given again. Prints no token."""

    minted: MintedToken
    refresh_token: str
    refresh_expires_at: datetime
    rotated: bool

    def __repr__(self) -> str:
        return f"RefreshedToken({self.minted!r}, ***, rotated={self.rotated})"


@dataclass(frozen=True, slots=True)
class FoundSession:
    """The session of a refresh token that is ours, and the generation that was presented."""

    state: SessionState
    generation: int


class Outcome(StrEnum):
    """What a refresh did to its session, for whoever counts."""

    TURNED = "turned"
    REPLAYED = "replayed"
    REUSED = "reused"


def _uncounted(_: Outcome) -> None:
    """Nobody counts."""


class Refresh:
    """The use case behind ``AuthService.RefreshToken``."""

    def __init__(
        self,
        view: TrustView,
        store: Store,
        mint: Mint,
        refresh_tokens: RefreshTokens,
        audit: TokenAudit,
        lines: TokenLines,
        *,
        count: Callable[[Outcome], None] = _uncounted,
    ) -> None:
        self._view = view
        self._store = store
        self._mint = mint
        self._refresh_tokens = refresh_tokens
        self._audit = audit
        self._lines = lines
        self._count = count

    def refresh(
        self, principal: Principal, request: RefreshRequest, *, deadline: Deadline | None = None
    ) -> RefreshedToken:
        """Rotate the chain, or give the child again to whoever lost the reply or the race.

        Raises ``InvalidRequest``, ``CallerForbidden``, ``RefreshRefused`` and what the store raises. A reuse is
        committed before REFRESH_TOKEN_REUSED is raised.
        """
        return self.go_on(principal, request, self.find(request, deadline=deadline), deadline=deadline)

    def find(self, request: RefreshRequest, *, deadline: Deadline | None = None) -> FoundSession:
        """The session that a request is about; whether the caller may go on with it is not judged yet."""
        try:
            ticket = self.ticket(request)
            state = self._found(self._store.session_state(ticket.session_id, deadline=deadline))
        except RefreshRefused as refusal:
            self._lines.refused(refusal)
            raise
        return FoundSession(state, ticket.generation)

    def ticket(self, request: RefreshRequest) -> RefreshTicket:
        """What the request's token names, where that is ours and of the store's epoch; no look at the store."""
        _check(request)
        ticket = self._refresh_tokens.read(request.refresh_token)
        epoch = self._store.epoch
        if ticket.epoch < epoch:
            raise RefreshRefused(Reason.SESSION_REVOKED, detail="the store was restored since")
        if ticket.epoch > epoch:
            self._audit.epoch_ahead_of_the_store()
            raise RefreshRefused(Reason.REFRESH_TOKEN_INVALID, detail="epoch ahead of the store")
        return ticket

    def go_on(
        self, principal: Principal, request: RefreshRequest, found: FoundSession, *, deadline: Deadline | None = None
    ) -> RefreshedToken:
        """Rotate or replay the session that ``find`` found for this request."""
        presented = Presented(found.generation, request_id_hash(request.request_id))
        try:
            trust = self._allowed(principal, found.state.session, deadline)
            refreshed = self._settle(principal, trust, found.state, presented, request, deadline)
        except AuthError as refusal:
            self._lines.refused(refusal, found.state.session, found.generation)
            raise
        self._audit.refreshed(principal, refreshed.minted.token, request.request_id, rotated=refreshed.rotated)
        return refreshed

    def _settle(
        self,
        principal: Principal,
        trust: AppTrust,
        state: SessionState,
        presented: Presented,
        request: RefreshRequest,
        deadline: Deadline | None,
    ) -> RefreshedToken:
        """Decide, act, and decide again when another call was faster: a lost race is never shown."""
        for _ in range(MOST_TRIES):
            fate = judge(state, presented, trust.app.settings)
            if fate is Fate.REUSED:
                self._end(principal, state, deadline)
            if fate is Fate.AHEAD:
                self._audit.ahead_of_the_store(principal, state.session, presented.generation)
                raise RefreshRefused(Reason.REFRESH_TOKEN_INVALID, detail="generation ahead of the store")
            # Judged and minted before the turn: what cannot be changed or minted turns nothing.
            changed = changed_session(request, state.session)
            if fate is Fate.REPLAY:
                minted = self._mint.mint_for_session(trust, state.session, ttl=access_ttl(request, state.session))
                return self._answer(principal, minted, state.session, rotated=False)
            minted = self._mint.mint_for_session(trust, changed, ttl=access_ttl(request, changed))
            turned = self._store.turn_session(
                state.session.id,
                presented.generation,
                request_id_hash=presented.request_id_hash,
                idle_ttl=trust.app.settings.session_idle_ttl,
                changed=None if changed == state.session else changed,
                deadline=deadline,
            )
            if turned is not None:
                return self._answer(principal, minted, turned, rotated=True)
            state = self._found(self._store.session_state(state.session.id, deadline=deadline))
        raise Unavailable(Reason.STORE_UNAVAILABLE, detail="reading and turning a session contradict each other")

    def _allowed(self, principal: Principal, session: Session, deadline: Deadline | None) -> AppTrust:
        trust = known_app(self._view, session.api_key, deadline=deadline)
        if trust is None or not principal.may_act_for(session.api_key):
            self._audit.foreign_refresh(principal, session)
            raise CallerForbidden(Reason.APP_NOT_ALLOWED)
        if trust.app.settings.suspended:
            raise CallerForbidden(Reason.APP_SUSPENDED)
        allow_kind(session.kind, trust.app.settings)
        return trust

    def _end(self, principal: Principal, state: SessionState, deadline: Deadline | None) -> None:
        """Two parties hold the chain: end it for both, durably, then say so."""
        session = state.session
        event = AuditEvent(
            at=state.now,
            action="session.reused",
            principal=principal.account_id,
            api_key=session.api_key,
            subject=session_text(session.id),
            outcome="revoked",
            reason=Reason.REFRESH_TOKEN_REUSED,
        )
        if self._store.revoke_session(session.id, Reason.REFRESH_TOKEN_REUSED, event, deadline=deadline):
            self._count(Outcome.REUSED)  # by this call: of several that find it together, one ends the session
            self._lines.reused(principal, session)
        raise RefreshRefused(Reason.REFRESH_TOKEN_REUSED)

    def _answer(self, principal: Principal, minted: MintedToken, session: Session, *, rotated: bool) -> RefreshedToken:
        self._count(Outcome.TURNED if rotated else Outcome.REPLAYED)
        self._lines.turned(principal, session, rotated=rotated)
        ticket = RefreshTicket(self._store.epoch, session.id, session.generation)
        return RefreshedToken(minted, self._refresh_tokens.text_of(ticket), session.idle_expires_at, rotated)

    @staticmethod
    def _found(state: SessionState | None) -> SessionState:
        if state is None:
            raise RefreshRefused(Reason.REFRESH_TOKEN_INVALID, detail="no such session")
        return state


def _check(request: RefreshRequest) -> None:
    faults = Faults()
    check_request_id(request.request_id, faults)
    if not request.refresh_token:
        faults.add("refresh_token", "must be set")
    faults.refuse_any()
