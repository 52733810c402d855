"""Revocation: the token itself, its session, its user, its app, in this order."""

from __future__ import annotations

from authsvc.model import ApiKey, TokenStatus
from authsvc.signing.rejected import Rejected
from authsvc.trust.revocations import NOTHING_REVOKED, Mark
from authsvc.trust.view import TrustView
from authsvc.verify.claims import AccessClaims


class NotRevoked:
    """Which tokens were found not to be revoked, in the newest state of a view. Safe to use from many threads.

    Looking through a million revocations costs as much as all other checks of a token that was seen before; as long as
    nothing was learnt, it need not be done again. At most ``capacity`` tokens are remembered, then none.
    """

    def __init__(self, view: TrustView, capacity: int = 16_384) -> None:
        self._view = view
        self._capacity = capacity
        self._found: tuple[int, set[tuple[ApiKey, bytes]]] = (view.changes, set())

    def check(self, claims: AccessClaims, digest: bytes, *, api_key: ApiKey) -> None:
        """As ``check_revocation``; ``digest`` is that of the token, whose signature was verified."""
        if self._view.revoked(api_key) is NOTHING_REVOKED:
            return
        changes, token = self._view.changes, (api_key, digest)  # changes first: the look is not older than they say
        since, found = self._found
        if since == changes and token in found:
            return
        check_revocation(claims, api_key=api_key, view=self._view)
        if since != changes or len(found) >= self._capacity:
            found = set()
            self._found = changes, found
        found.add(token)


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
