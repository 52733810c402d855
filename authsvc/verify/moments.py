"""Time: ``exp``, ``nbf`` and ``iat`` against the clock that was passed in (RFC 7519, 4.1.4 to 4.1.6)."""

from __future__ import annotations

from authsvc.model import TokenStatus
from authsvc.signing.rejected import Rejected
from authsvc.verify.claims import AccessClaims


def check_time(claims: AccessClaims, *, seconds: float, leeway: float) -> None:
    """Raise ``Rejected``, with now in ``seconds`` since 1970 and the app's skew as ``leeway``.

    EXPIRED when now ≥ exp + skew, NOT_YET_VALID when nbf > now + skew, ISSUED_IN_FUTURE when iat > now + skew.
    """
    if claims.expires_at is not None and seconds >= claims.expires_at + leeway:
        raise Rejected(TokenStatus.EXPIRED)
    if claims.not_before is not None and claims.not_before > seconds + leeway:
        raise Rejected(TokenStatus.NOT_YET_VALID)
    if claims.issued_at is not None and claims.issued_at > seconds + leeway:
        raise Rejected(TokenStatus.ISSUED_IN_FUTURE)
