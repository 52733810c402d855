"""Revocation: the token itself, its session, its user, its app, in this order."""

from __future__ import annotations

from datetime import datetime

from authsvc.model import ApiKey, TokenStatus, Watermark
from authsvc.signing.rejected import Rejected
from authsvc.trust.view import TrustView
from authsvc.verify.claims import AccessClaims


def check_revocation(claims: AccessClaims, *, api_key: ApiKey, view: TrustView) -> None:
    """Raise ``Rejected``: REVOKED by token, user or app, SESSION_REVOKED by the session."""
    if claims.token_id and view.token_revoked(api_key, claims.token_id):
        raise Rejected(TokenStatus.REVOKED, "token")
    if claims.session_id is not None and view.session_revoked(claims.session_id):
        raise Rejected(TokenStatus.SESSION_REVOKED)
    if covers(view.watermark(api_key, claims.user.id), claims):
        raise Rejected(TokenStatus.REVOKED, "user")
    if covers(view.watermark(api_key, None), claims):
        raise Rejected(TokenStatus.REVOKED, "app")


def covers(watermark: Watermark | None, claims: AccessClaims) -> bool:
    """Whether the watermark ended the token.

    Tokens of ours by the revision in their jti, others by their iat and the second of the revocation; all of them by
    an explicit moment. A token that does not say when it was issued is ended by any.
    """
    if watermark is None:
        return False
    if claims.token_revision is not None:
        revoked = claims.token_revision < watermark.tokens_revision
    else:
        revoked = _issued_by(claims.issued_at, watermark.tokens_revoked_at)
    return revoked or _issued_before(claims.issued_at, watermark.tokens_issued_before)


def _issued_by(issued_at: int | None, moment: datetime | None) -> bool:
    return moment is not None and (issued_at is None or issued_at <= int(moment.timestamp()))


def _issued_before(issued_at: int | None, moment: datetime | None) -> bool:
    return moment is not None and (issued_at is None or issued_at < moment.timestamp())
