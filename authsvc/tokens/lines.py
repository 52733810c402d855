"""What the log says of tokens and sessions, for whoever looks for a fault. Never a token; who did it is in the audit.

A line that is not wanted costs a comparison, and several that come together are asked about once.
"""

from __future__ import annotations

from collections.abc import Iterable

from authsvc.errors import AuthError
from authsvc.logs import Level, Logger
from authsvc.model import ApiKey, Principal, Session, session_text
from authsvc.verify.verdict import Verdict, VerifiedToken


class TokenLines:
    """Writes under the scopes ``tokens``, ``sessions`` and ``signing``."""

    def __init__(self, tokens: Logger, sessions: Logger, signing: Logger) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._signing = signing

    def minted(self, principal: Principal, token: VerifiedToken) -> None:
        """A token without a session was issued."""
        self._tokens.debug(
            "token minted",
            principal=principal.account_id,
            app=token.api_key,
            kid=token.key_id,
            algorithm=token.algorithm,
        )

    def minted_together(self, minted: Iterable[tuple[Principal, VerifiedToken]]) -> None:
        """Several were."""
        if self._tokens.writes(Level.DEBUG):
            for principal, token in minted:
                self.minted(principal, token)

    def not_active(self, principal: Principal, api_key: ApiKey, verdict: Verdict) -> None:
        """A token was judged: one whose key, signature and form were good is a matter of ``tokens`` alone."""
        log = self._signing if verdict.token is None else self._tokens
        log.debug(
            "token not active",
            principal=principal.account_id,
            app=api_key,
            reason=verdict.status,
            detail=verdict.detail,
            kid=verdict.token.key_id if verdict.token is not None else "",
        )

    def revoked(self, principal: Principal, api_key: ApiKey, revision: int) -> None:
        """A single token was ended."""
        self._tokens.info("token revoked", principal=principal.account_id, app=api_key, revision=revision)

    def opened(self, principal: Principal, session: Session, *, now: bool) -> None:
        """A session was opened, or the one that an earlier delivery of the request opened was found."""
        self._said("session opened" if now else "session found again", principal, session)

    def turned(self, principal: Principal, session: Session, *, rotated: bool) -> None:
        """A refresh token was answered with its successor, a new one or the one that had been given out before."""
        self._said("session turned" if rotated else "session replayed", principal, session)

    def turned_together(self, turned: Iterable[tuple[Principal, VerifiedToken, int]]) -> None:
        """Several sessions were turned, each to that generation."""
        if self._sessions.writes(Level.DEBUG):
            for principal, token, generation in turned:
                session_id = token.claims.session_id
                self._sessions.debug(
                    "session turned",
                    principal=principal.account_id,
                    app=token.api_key,
                    session_id=session_text(session_id) if session_id is not None else "",
                    generation=generation,
                )

    def refused(self, refusal: AuthError, session: Session | None = None, generation: int | None = None) -> None:
        """A refresh was refused, and why; ``session`` where it was found by its token, and what that one presented."""
        self._sessions.debug(
            "refresh refused",
            app=session.api_key if session is not None else "",
            session_id=session_text(session.id) if session is not None else "",
            generation=generation,
            reason=refusal.reason,
            detail=refusal.detail,
        )

    def reused(self, principal: Principal, session: Session) -> None:
        """Two parties held the chain, and the session was ended for both."""
        self._sessions.warn(
            "session ended: a spent refresh token was presented again",
            principal=principal.account_id,
            app=session.api_key,
            session_id=session_text(session.id),
            user_id=session.user.id,
            generation=session.generation,
        )

    def ended(self, principal: Principal, session: Session) -> None:
        """A session was revoked."""
        self._sessions.info(
            "session ended: revoked",
            principal=principal.account_id,
            app=session.api_key,
            session_id=session_text(session.id),
            user_id=session.user.id,
        )

    def ended_all(self, principal: Principal, api_key: ApiKey, user_id: str | None, revision: int) -> None:
        """All that a user holds was ended; None: all that anybody of the app does."""
        self._sessions.info(
            "sessions ended: all of a user" if user_id is not None else "sessions ended: all of an app",
            principal=principal.account_id,
            app=api_key,
            user_id=user_id,
            revision=revision,
        )

    def _said(self, message: str, principal: Principal, session: Session) -> None:
        if self._sessions.writes(Level.DEBUG):  # naming all this costs more than asking whether it is wanted
            self._sessions.debug(
                message,
                principal=principal.account_id,
                app=session.api_key,
                session_id=session_text(session.id),
                user_id=session.user.id,
                generation=session.generation,
            )
