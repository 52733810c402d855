"""The audit lines of issues and refreshes, under the log scope ``audit``: who, for whom, the end. Never a token."""

from __future__ import annotations

from authsvc.logs import Logger
from authsvc.model import Principal, Session, session_text
from authsvc.tokens.opening import request_id_hash
from authsvc.verify.verdict import VerifiedToken


class TokenAudit:
    """Writes audit lines; request ids show as 8 hex digits of their SHA-256."""

    def __init__(self, log: Logger) -> None:
        self._log = log

    def issued(self, principal: Principal, token: VerifiedToken, request_id: str) -> None:
        """A token was minted."""
        self._line("token issued", principal, token, request_id, outcome="issued")

    def refreshed(self, principal: Principal, token: VerifiedToken, request_id: str, *, rotated: bool) -> None:
        """A session was turned, or its child given again."""
        self._line("token refreshed", principal, token, request_id, outcome="rotated" if rotated else "replayed")

    def foreign_refresh(self, principal: Principal, session: Session) -> None:
        """A service presented the refresh token of an app it may not act for."""
        self._log.warn(
            "refresh token of another app",
            principal=principal.account_id,
            app=session.api_key,
            session_id=session_text(session.id),
            outcome="refused",
            reason="APP_NOT_ALLOWED",
        )

    def opened_by_a_service(self, principal: Principal, session: Session) -> None:
        """Somebody without a credential presented a refresh token that was given to a service."""
        self._log.warn(
            "refresh token of a service presented without a credential",
            principal=principal.account_id,
            address=principal.address,
            app=session.api_key,
            session_id=session_text(session.id),
            outcome="refused",
            reason="REFRESH_TOKEN_INVALID",
        )

    def ahead_of_the_store(self, principal: Principal, session: Session, generation: int) -> None:
        """A token of ours names a generation that the store never gave out: somebody has to look at the store."""
        self._log.error(
            "refresh token ahead of the store: was a copy restored, or do two stores share one key?",
            principal=principal.account_id,
            app=session.api_key,
            session_id=session_text(session.id),
            generation=generation,
            outcome="refused",
            reason="REFRESH_TOKEN_INVALID",
        )

    def epoch_ahead_of_the_store(self) -> None:
        """A token of ours names an epoch the store has not reached: it is a copy from before a restore."""
        self._log.error(
            "refresh token of a later epoch than the store: was an old copy put in its place?",
            outcome="refused",
            reason="REFRESH_TOKEN_INVALID",
        )

    def _line(self, message: str, principal: Principal, token: VerifiedToken, request_id: str, *, outcome: str) -> None:
        session_id = token.claims.session_id
        whence = {"address": principal.address} if principal.public else {}
        self._log.info(
            message,
            principal=principal.account_id,
            **whence,
            app=token.api_key,
            user_id=token.claims.user.id,
            session_id=session_text(session_id) if session_id is not None else "",
            request_id_hash=request_id_hash(request_id).hex()[:8],
            outcome=outcome,
        )
