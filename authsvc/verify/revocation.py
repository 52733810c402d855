"""Revocation: the token itself, its session, its user, its app, in this order."""

from __future__ import annotations

from authsvc.model import ApiKey, TokenStatus
from authsvc.signing.rejected import Rejected
from authsvc.trust.revocations import NOTHING_REVOKED, Mark
from authsvc.trust.view import TrustView
from authsvc.verify.claims import AccessClaims


def check_revocation(claims: AccessClaims, *, api_key: ApiKey, view: TrustView) -> None:
    """Raise ``Rejected``: REVOKED by token, user or app, SESSION_REVOKED by the session."""
    revoked = view.revoked(api_key)
    if revoked is NOTHING_REVOKED:
        return
    if claims.token_id and revoked.has_token(claims.token_id):
        raise Rejected(TokenStatus.REVOKED, "token")
    if claims.session_id is not None and revoked.has_session(claims.session_id):
        raise Rejected(TokenStatus.SESSION_REVOKED)
    if covers(revoked.mark_of(claims.user.id), claims):
        raise Rejected(TokenStatus.REVOKED, "user")
    if covers(revoked.mark, claims):
        raise Rejected(TokenStatus.REVOKED, "app")


def covers(mark: Mark | None, claims: AccessClaims) -> bool:
    """Whether the watermark ended the token.

    Tokens of ours by the revision in their jti, others by their iat and the second of the revocation; all of them by
    an explicit moment. A token that does not say when it was issued is ended by any.
    """
    if mark is None:
        return False
    issued_at = claims.issued_at
    if claims.token_revision is not None:
        revoked = claims.token_revision < mark.tokens_revision
    else:
        revoked = bool(mark.revoked_at) and (issued_at is None or issued_at <= mark.revoked_at)
    return revoked or (bool(mark.issued_before) and (issued_at is None or issued_at < mark.issued_before))
