"""Refreshing several sessions at once: one look at the store and one change of it for all of them.

Only what goes as it should is done here. Whatever is not a plain turn of a live session by a caller who may is left
to ``Refresh``, which says why, tells the audit and ends what is to be ended; so the rules are in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from authsvc.clock import Deadline
from authsvc.errors import AuthError, CallerForbidden, Reason, Unavailable
from authsvc.model import Principal, Session, SessionId
from authsvc.storage.base import SessionState, Store, Turn
from authsvc.tokens.audit import TokenAudit
from authsvc.tokens.lines import TokenLines
from authsvc.tokens.mint import Draft, Mint
from authsvc.tokens.opening import request_id_hash
from authsvc.tokens.refresh import Outcome, Refresh, RefreshedToken
from authsvc.tokens.refresh_token import RefreshTicket, RefreshTokens
from authsvc.tokens.requests import RefreshRequest
from authsvc.tokens.sessions import Fate, Presented, judge
from authsvc.tokens.subjects import allow_kind
from authsvc.trust.view import AppTrust, TrustView


class Wish(NamedTuple):
    """A request to refresh, and whose it is."""

    principal: Principal
    request: RefreshRequest


class InDoubt(NamedTuple):
    """What came instead of an answer where nobody knows whether the session was turned: not to be tried again here.

    Not the refusal itself, which would hold on to the calls it was met in.
    """

    reason: Reason
    retry_after: timedelta | None
    detail: str

    def refusal(self) -> Unavailable:
        """What the caller is told."""
        return Unavailable(self.reason, retry_after=self.retry_after, detail=self.detail)


class _Ready(NamedTuple):
    """A session that can be turned, and the token that is given out once it is: signed first, as ever."""

    wish: Wish
    turn: Turn
    draft: Draft


class RefreshTogether:
    """What ``Refresh`` does, for those of many that turn without a question."""

    def __init__(
        self,
        refresh: Refresh,
        view: TrustView,
        store: Store,
        mint: Mint,
        refresh_tokens: RefreshTokens,
        audit: TokenAudit,
        lines: TokenLines,
        *,
        count: Callable[[Outcome], None],
    ) -> None:
        self._refresh = refresh
        self._view = view
        self._store = store
        self._mint = mint
        self._refresh_tokens = refresh_tokens
        self._audit = audit
        self._lines = lines
        self._count = count

    def turn(self, wishes: Sequence[Wish], *, deadline: Deadline) -> list[RefreshedToken | InDoubt | None]:
        """Turn those sessions that turn; None for a wish that is left to ``Refresh``, with nothing changed by it.

        Raises what the store raises, but for a change it does not answer for: then nothing was changed.
        """
        tickets = [self._ticket(wish) for wish in wishes]
        first: dict[SessionId, int] = {}
        for place, ticket in enumerate(tickets):
            if ticket is not None:
                first.setdefault(ticket.session_id, place)
        states = self._store.session_states(tuple(first), deadline=deadline)
        ready = dict(self._judged(wishes, tickets, [(first[state.session.id], state) for state in states]))
        # All signatures in a row, and before any turn: what cannot be signed turns nothing.
        minted = self._mint.sign_each({place: one.draft for place, one in ready.items()})
        ready = {place: ready[place] for place in minted}
        answers: list[RefreshedToken | InDoubt | None] = [None] * len(wishes)
        try:
            ends = self._store.turn_sessions([one.turn for one in ready.values()], deadline=deadline)
        except Unavailable as refusal:
            for place in ready:
                answers[place] = InDoubt(refusal.reason, refusal.retry_after, refusal.detail)
            return answers
        for (place, one), idle_expires_at in zip(ready.items(), ends, strict=True):
            if idle_expires_at is not None:
                token = minted[place]
                answers[place] = RefreshedToken(token, self._child(one.turn), idle_expires_at, rotated=True)
                self._count(Outcome.TURNED)
                self._audit.refreshed(one.wish.principal, token.token, one.wish.request.request_id, rotated=True)
        self._lines.turned_together(
            (one.wish.principal, minted[place].token, one.turn.generation + 1)
            for place, one in ready.items()
            if answers[place] is not None
        )
        return answers

    def _ticket(self, wish: Wish) -> RefreshTicket | None:
        """What the wish names, where it asks for no change and the store is of its epoch."""
        request = wish.request
        if request.ttl is not None or request.user is not None or request.scope is not None:
            return None
        try:
            return self._refresh.ticket(request)
        except AuthError:
            return None

    def _judged(
        self,
        wishes: Sequence[Wish],
        tickets: Sequence[RefreshTicket | None],
        found: Sequence[tuple[int, SessionState]],
    ) -> Iterator[tuple[int, _Ready]]:
        for place, state in found:
            ticket, wish = tickets[place], wishes[place]
            assert ticket is not None, "the session was found by it"
            presented = Presented(ticket.generation, request_id_hash(wish.request.request_id))
            try:
                trust = self._allowed(wish.principal, state.session)
                if judge(state, presented, trust.app.settings) is not Fate.ROTATE:
                    continue
                draft = self._mint.draft_for_session(trust, state.session)
            except AuthError:
                continue
            idle_ttl = trust.app.settings.session_idle_ttl
            turn = Turn(ticket.session_id, ticket.generation, presented.request_id_hash, idle_ttl)
            yield place, _Ready(wish, turn, draft)

    def _allowed(self, principal: Principal, session: Session) -> AppTrust:
        """As ``Refresh`` has it, but that nobody is told of a refusal: that is done where it is given."""
        trust = self._view.app(session.api_key)
        if trust is None or not principal.may_act_for(session.api_key) or trust.app.settings.suspended:
            raise CallerForbidden(Reason.APP_NOT_ALLOWED)
        allow_kind(session.kind, trust.app.settings)
        return trust

    def _child(self, turn: Turn) -> str:
        return self._refresh_tokens.text_of(RefreshTicket(self._store.epoch, turn.session_id, turn.generation + 1))
