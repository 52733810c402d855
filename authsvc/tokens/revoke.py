"""RevokeTokens: end what a user, a session, a token or a whole app holds, and say from which revision on it is so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from authsvc.clock import Clock, Deadline
from authsvc.errors import Faults, Reason, Unavailable
from authsvc.model import (
    LONGEST_CLOCK_SKEW,
    App,
    AuditEvent,
    Principal,
    Revision,
    SessionId,
    TokenId,
    TokenStatus,
    UserId,
    session_id_of,
    session_text,
)
from authsvc.signing.rejected import Rejected
from authsvc.storage.base import Store
from authsvc.tokens.lines import TokenLines
from authsvc.tokens.refresh_token import RefreshTokens
from authsvc.tokens.requests import Seconds
from authsvc.tokens.revocable import check_issued_before, check_target, moment_of, unknown_token, without_token_id
from authsvc.tokens.targets import (
    AllUsersTarget,
    RefreshTokenTarget,
    RevokeRequest,
    SessionTarget,
    TokenIdTarget,
    TokenTarget,
    UserTarget,
)
from authsvc.trust.access import app_for
from authsvc.trust.view import TrustView
from authsvc.verify.claims import AccessClaims
from authsvc.verify.verifier import Verifier

REVOKED = "REVOKED"
"""Why a session ended, where nobody presented a token that had been spent."""

# Whoever holds an imported secret may say anything in a token, also what no calendar has.
_END_OF_CALENDAR = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class _Order:
    """Who wants something ended, in which app, and until when it is worth beginning."""

    principal: Principal
    app: App
    deadline: Deadline | None


class Revoke:
    """The use case behind ``AuthService.RevokeTokens``. It works for suspended apps too."""

    def __init__(
        self,
        view: TrustView,
        store: Store,
        verifier: Verifier,
        refresh_tokens: RefreshTokens,
        lines: TokenLines,
        *,
        clock: Clock,
    ) -> None:
        self._view = view
        self._store = store
        self._verifier = verifier
        self._refresh_tokens = refresh_tokens
        self._lines = lines
        self._clock = clock

    def revoke(self, principal: Principal, request: RevokeRequest, *, deadline: Deadline | None = None) -> Revision:
        """End the target, durably, before this returns; whoever has seen the revision has seen the end.

        Doing it twice is harmless, and so is naming a session that is not there or another app's. Raises
        ``InvalidRequest`` with every fault at once, ``CallerForbidden`` and ``NotFound`` for the app,
        ``RefreshRefused`` (REFRESH_TOKEN_INVALID) before the store is asked, and what the store raises.
        """
        order = _Order(principal, app_for(self._view, principal, request.api_key, deadline=deadline).app, deadline)
        faults = Faults()
        check_target(request.target, faults)
        check_issued_before(request, order.app.settings, self._clock(), faults)
        faults.refuse_any()
        return self._carry_out(order, request)

    def _carry_out(self, order: _Order, request: RevokeRequest) -> Revision:
        match request.target:
            case UserTarget(user_id):
                return self._end_users(order, UserId(user_id), request.issued_before)
            case AllUsersTarget():
                return self._end_users(order, None, request.issued_before)
            case SessionTarget(text):
                return self._end_session(order, session_id_of(text))
            case RefreshTokenTarget(text):
                # Of whatever epoch and generation: it names the session, and the session ends.
                return self._end_session(order, self._refresh_tokens.read(text).session_id)
            case TokenTarget(text):
                return self._end_token(order, text)
            case TokenIdTarget(text):
                return self._end_token_id(order, TokenId(text), self._last_end(order.app))
        raise AssertionError("every target was judged")

    def _end_users(self, order: _Order, user_id: UserId | None, issued_before: Seconds | None) -> Revision:
        moment = None if issued_before is None else moment_of(issued_before)
        event = self._event(order, "user.revoked" if user_id else "all_users.revoked", user_id or "")
        if moment is not None:
            event = replace(event, reason=f"issued before {moment.isoformat()}")
        revision = self._store.raise_watermark(
            order.app.api_key, user_id, event, issued_before=moment, deadline=order.deadline
        )
        self._lines.ended_all(order.principal, order.app.api_key, user_id, revision)
        return revision

    def _end_session(self, order: _Order, session_id: SessionId | None) -> Revision:
        state = None if session_id is None else self._store.session_state(session_id, deadline=order.deadline)
        if session_id is None or state is None or state.session.api_key != order.app.api_key:
            return self._view.revision  # there is nothing to end, and nothing to wait for
        event = self._event(order, "session.revoked", session_text(session_id))
        if self._store.revoke_session(session_id, REVOKED, event, deadline=order.deadline):
            self._lines.ended(order.principal, state.session)
        return self._head(order)

    def _end_token(self, order: _Order, text: str) -> Revision:
        claims = self._claims_of(order, text)
        if claims is None:
            return self._view.revision
        if not claims.token_id:
            raise without_token_id(claims)
        if claims.expires_at is None or claims.expires_at >= _END_OF_CALENDAR:
            return self._end_token_id(order, claims.token_id, None)
        until = datetime.fromtimestamp(claims.expires_at, UTC) + LONGEST_CLOCK_SKEW
        if until <= self._clock():
            return self._view.revision  # it ended by itself, for every clock_skew there can be
        return self._end_token_id(order, claims.token_id, until)

    def _end_token_id(self, order: _Order, token_id: TokenId, until: datetime | None) -> Revision:
        event = self._event(order, "token.revoked", token_id)
        revision = self._store.revoke_token(order.app.api_key, token_id, until, event, deadline=order.deadline)
        self._lines.revoked(order.principal, order.app.api_key, revision)
        return revision

    def _claims_of(self, order: _Order, text: str) -> AccessClaims | None:
        """What a token of the app says; None where its key was revoked: then it is dead, and stays so."""
        try:
            return self._verifier.identify(text, api_key=order.app.api_key, deadline=order.deadline).claims
        except Rejected as rejected:
            if rejected.status is TokenStatus.KEY_REVOKED:
                return None
            raise unknown_token(text, rejected) from None

    def _last_end(self, app: App) -> datetime | None:
        """When the last token of the app that there can be now ends, for every clock_skew; None: never."""
        return None if app.ever_non_expiring else self._clock() + app.longest_ttl_ever + LONGEST_CLOCK_SKEW

    def _head(self, order: _Order) -> Revision:
        """A revision that the store has: another worker may have ended the session, at one not seen here yet."""
        page = self._store.changes_since(self._view.revision, limit=1, deadline=order.deadline)
        if page is None:
            raise Unavailable(Reason.STALE, detail="the feed no longer reaches back to what this worker has seen")
        return page.head

    def _event(self, order: _Order, action: str, subject: str) -> AuditEvent:
        principal = order.principal.account_id
        return AuditEvent(self._clock(), action, principal, order.app.api_key, subject, "revoked")
