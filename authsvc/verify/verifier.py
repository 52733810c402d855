"""The verifier: cheap checks before expensive ones, the first failure decides."""

from __future__ import annotations

from datetime import datetime

from authsvc.clock import Clock
from authsvc.model import ApiKey, KeyId, TokenStatus
from authsvc.signing.jws import MAX_PARSED_BYTES, parse_compact, verify_signature
from authsvc.signing.rejected import Rejected
from authsvc.trust.view import AppTrust, TrustView
from authsvc.verify.claims import TYP, AccessClaims, issuer_of, parse_claims, read_members
from authsvc.verify.moments import check_time
from authsvc.verify.questions import Questions, check_audience, check_role, check_scope
from authsvc.verify.revocation import check_revocation
from authsvc.verify.signatures import VerifiedSignatures
from authsvc.verify.verdict import Verdict, VerifiedToken

DEVELOPMENT_SUFFIX = ".devtoken"
OTHER_KINDS = ("art1_", "ask1_")  # a refresh token, a service credential

_ACCEPTED_TYP = frozenset(TYP.values())


class Verifier:
    """Answers about tokens from a trust view. Safe to call from many threads."""

    def __init__(self, view: TrustView, *, clock: Clock, remembered_signatures: int = 65_536) -> None:
        self._view = view
        self._clock = clock
        self.signatures = VerifiedSignatures(remembered_signatures)

    def verify(self, text: str, *, api_key: ApiKey, questions: Questions) -> Verdict:
        """The verdict on a token of that app; never raises for anything a token's text can hold.

        The app must be in the view: whether a caller may ask about it is not decided here.
        """
        trust = self._view.app(api_key)
        if trust is None or trust.app.settings.suspended:
            return Verdict(TokenStatus.APP_SUSPENDED)
        now, token = self._clock(), None
        try:
            token = self._signed(text, trust, now)
            self._judge(token.claims, trust, questions, now)
        except Rejected as rejected:
            return Verdict(rejected.status, token, rejected.detail)
        return Verdict(TokenStatus.ACTIVE, token)

    def _signed(self, text: str, trust: AppTrust, now: datetime) -> VerifiedToken:
        """The token, its signature verified now or remembered; key state and issuer are looked at each time."""
        if len(text) > MAX_PARSED_BYTES:
            raise Rejected(TokenStatus.MALFORMED, "too long")
        fingerprint = self.signatures.fingerprint(trust.app.api_key, text)
        known = self.signatures.find(fingerprint)
        if known is not None:
            trust.ring.verification_key(known.key_id, now=now, retired_for=trust.longest_life)
            _check_issuer(known.claims.issuer, trust, now)
            return known
        token = _verify_signed(text, trust, now)
        self.signatures.keep(fingerprint, token)
        return token

    def _judge(self, claims: AccessClaims, trust: AppTrust, questions: Questions, now: datetime) -> None:
        settings, api_key = trust.app.settings, trust.app.api_key
        if claims.expires_at is None and not trust.app.ever_non_expiring:
            raise Rejected(TokenStatus.CLAIM_INVALID, "exp")
        check_time(claims, now=now, skew=settings.clock_skew)
        check_audience(claims, questions, api_key=api_key)
        check_revocation(claims, api_key=api_key, view=self._view)
        check_scope(claims.scope, questions)
        check_role(claims.user.role, questions)


def _verify_signed(text: str, trust: AppTrust, now: datetime) -> VerifiedToken:
    if text.endswith(DEVELOPMENT_SUFFIX):
        raise Rejected(TokenStatus.DEVELOPMENT_TOKENS_DISABLED)
    if text.startswith(OTHER_KINDS):
        raise Rejected(TokenStatus.WRONG_TYPE, "a refresh token or a service credential")
    compact = parse_compact(text)
    if compact.header.typ not in _ACCEPTED_TYP:
        raise Rejected(TokenStatus.WRONG_TYPE, "typ")
    if not compact.header.kid:
        raise Rejected(TokenStatus.KEY_UNKNOWN, "no kid")
    key = trust.ring.verification_key(compact.header.kid, now=now, retired_for=trust.longest_life)
    members = read_members(verify_signature(compact, key))
    _check_issuer(issuer_of(members), trust, now)
    claims = parse_claims(members)
    return VerifiedToken(trust.app.api_key, KeyId(compact.header.kid), key.algorithm, claims)


def _check_issuer(issuer: str, trust: AppTrust, now: datetime) -> None:
    if not trust.accepts_issuer(issuer, now):
        raise Rejected(TokenStatus.ISSUER_MISMATCH)
