"""Revocation: the token itself, its session, its user, its app, in this order."""

from __future__ import annotations

from authsvc.model import ApiKey, TokenStatus, Watermark
from authsvc.signing.rejected import Rejected
from authsvc.trust.view import TrustView
from authsvc.verify.claims import AccessClaims


def check_revocation(claims: AccessClaims, *, api_key: ApiKey, view: TrustView) -> None:
    """Raise ``Rejected``: REVOKED by token, user or app, SESSION_REVOKED by the session."""
    if view.token_revoked(api_key, claims.token_id):
        raise Rejected(TokenStatus.REVOKED, "token")
    if claims.session_id is not None and view.session_revoked(claims.session_id):
        raise Rejected(TokenStatus.SESSION_REVOKED)
    if covers(view.watermark(api_key, claims.user.id), claims):
        raise Rejected(TokenStatus.REVOKED, "user")
    if covers(view.watermark(api_key, None), claims):
        raise Rejected(TokenStatus.REVOKED, "app")


def covers(watermark: Watermark | None, claims: AccessClaims) -> bool:
    """Whether the watermark ended the token: by the revision in its jti, or by an explicit moment and its iat."""
    if watermark is None:
        return False
    if claims.token_revision < watermark.tokens_revision:
        return True
    moment = watermark.tokens_issued_before
    return moment is not None and claims.issued_at < moment.timestamp()
