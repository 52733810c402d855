"""The verifier: cheap checks before expensive ones, the first failure decides."""

from __future__ import annotations

import math
from datetime import datetime

from authsvc.clock import Clock, Deadline
from authsvc.model import ApiKey, KeyId, Profile, TokenStatus
from authsvc.signing.jws import MAX_PARSED_BYTES, CompactToken, parse_compact, verify_signature
from authsvc.signing.rejected import Rejected
from authsvc.trust.view import AppTrust, TrustView
from authsvc.verify.claims import (
    PROFILE_OF_TYP,
    TYP,
    AccessClaims,
    issuer_of,
    parse_claims,
    parse_unmanaged,
    read_members,
)
from authsvc.verify.development import SUFFIX, read_development_token
from authsvc.verify.moments import check_time
from authsvc.verify.questions import Questions, check_audience, check_role, check_scope
from authsvc.verify.revocation import NotRevoked
from authsvc.verify.signatures import SignatureMemory, VerifiedSignatures, digest_of
from authsvc.verify.verdict import Verdict, VerifiedToken

OTHER_KINDS = ("art1_", "ask1_")  # a refresh token, a service credential

_MAX_NAME = 512
_ACTIVE, _KEY_UNKNOWN = TokenStatus.ACTIVE, TokenStatus.KEY_UNKNOWN
_UNMANAGED_TYP = ("", TYP[Profile.CLASSIC])


class Verifier:
    """Answers about tokens from a trust view. Safe to call from many threads.

    ``development_tokens``: whether this process accepts them at all; the app must allow them too. ``signatures``: where
    it remembers those that it verified; by default in a memory of its own.
    """

    def __init__(
        self,
        view: TrustView,
        *,
        clock: Clock,
        development_tokens: bool = False,
        signatures: SignatureMemory | None = None,
    ) -> None:
        self._view = view
        self._clock = clock
        self._development_tokens = development_tokens
        self._signatures = VerifiedSignatures() if signatures is None else signatures
        self._not_revoked = NotRevoked(view)

    def verify(
        self,
        text: str,
        *,
        api_key: ApiKey,
        questions: Questions,
        deadline: Deadline | None = None,
        digest: bytes | None = None,
    ) -> Verdict:
        """The verdict on a token of that app; never raises for anything a token's text can hold.

        The app must be in the view: whether a caller may ask about it is not decided here. A key that is not known may
        have been made just now: then there is a second look, which takes no longer than ``deadline``. ``digest`` is
        the ``digest_of`` the text, where the caller has it.
        """
        verdict = self.verdict(text, api_key, questions, digest)
        if verdict.status is _KEY_UNKNOWN and self._look_for_key(text, api_key, deadline):
            return self.verdict(text, api_key, questions, digest)
        return verdict

    def verdict(self, text: str, api_key: ApiKey, questions: Questions, digest: bytes | None = None) -> Verdict:
        """As ``verify``, by what is known: nobody waits for a second look."""
        trust = self._view.app(api_key)
        if trust is None or trust.app.settings.suspended:
            return Verdict(TokenStatus.APP_SUSPENDED)
        now, token, digest = self._clock(), None, digest or _digest_of(text)
        try:
            token = self._accepted(text, trust, now, digest)
            self._judge(token.claims, digest, trust, questions, now)
        except Rejected as rejected:
            return Verdict(rejected.status, token, rejected.detail)
        return Verdict(_ACTIVE, token)

    def identify(self, text: str, *, api_key: ApiKey, deadline: Deadline | None = None) -> VerifiedToken:
        """The token behind a text, its key, signature and issuer accepted; whether it is alive is not asked.

        The app must be in the view, and may be suspended. ``deadline`` as ``verify`` has it. Raises ``Rejected``.
        """
        digest = _digest_of(text)
        try:
            return self._accepted(text, self._trust(api_key), self._clock(), digest)
        except Rejected as rejected:
            if rejected.status is not TokenStatus.KEY_UNKNOWN or not self._look_for_key(text, api_key, deadline):
                raise
        return self._accepted(text, self._trust(api_key), self._clock(), digest)

    def _trust(self, api_key: ApiKey) -> AppTrust:
        trust = self._view.app(api_key)
        if trust is None:
            raise Rejected(TokenStatus.APP_SUSPENDED)
        return trust

    def _look_for_key(self, text: str, api_key: ApiKey, deadline: Deadline | None) -> bool:
        """Look for the key that a token names, by the text of its header."""
        return self._view.look_again(("key", api_key, text.partition(".")[0][:_MAX_NAME]), deadline)

    def lasts_until(self, verdict: Verdict) -> float | None:
        """Until when an ACTIVE verdict stays true as long as the trust view does not change, in seconds since 1970.

        None where that is not known: a token that is not active may become so, and a retired key or a past issuer ends
        at a moment of its own.
        """
        token = verdict.token
        trust = self._view.app(token.api_key) if token is not None else None
        if token is None or trust is None or verdict.status is not _ACTIVE or token.algorithm is None:
            return None
        claims, key = token.claims, trust.ring.keys.get(token.key_id)
        if not claims.managed or claims.issuer != trust.app.settings.issuer:
            return None
        if key is None or key.retired_at is not None:
            return None
        return math.inf if claims.expires_at is None else claims.expires_at + trust.leeway

    def _accepted(self, text: str, trust: AppTrust, now: datetime, digest: bytes) -> VerifiedToken:
        """The token, its signature verified now or remembered; what can change is looked at each time."""
        if len(text) > MAX_PARSED_BYTES:
            raise Rejected(TokenStatus.MALFORMED, "too long")
        if text.endswith(SUFFIX):
            return self._development(text, trust)
        known = self._signatures.find(trust.app.api_key, digest)
        if known is not None:
            _recheck(known, trust, now)
            return known
        token = _verify_signed(text, trust, now)
        self._signatures.keep(trust.app.api_key, digest, token, len(text))
        return token

    def _development(self, text: str, trust: AppTrust) -> VerifiedToken:
        if not (self._development_tokens and trust.app.settings.allow_development_tokens):
            raise Rejected(TokenStatus.DEVELOPMENT_TOKENS_DISABLED)
        return VerifiedToken(trust.app.api_key, KeyId(""), None, read_development_token(text))

    def _judge(self, claims: AccessClaims, digest: bytes, trust: AppTrust, questions: Questions, now: datetime) -> None:
        api_key = trust.app.api_key
        if claims.managed and claims.expires_at is None and not trust.app.ever_non_expiring:
            raise Rejected(TokenStatus.CLAIM_INVALID, "exp")
        check_time(claims, seconds=now.timestamp(), leeway=trust.leeway)
        check_audience(claims, questions, api_key=api_key)
        self._not_revoked.check(claims, digest, api_key=api_key)
        check_scope(claims.scope, questions)
        check_role(claims.user.role, questions)


def _digest_of(text: str) -> bytes:
    return digest_of(text[: MAX_PARSED_BYTES + 1])  # a longer one is refused


def _verify_signed(text: str, trust: AppTrust, now: datetime) -> VerifiedToken:
    if text.startswith(OTHER_KINDS):
        raise Rejected(TokenStatus.WRONG_TYPE, "a refresh token or a service credential")
    compact = parse_compact(text)
    profile = PROFILE_OF_TYP.get(compact.header.typ)
    if not compact.header.kid and compact.header.typ in _UNMANAGED_TYP:
        return _verify_unmanaged(compact, trust, now)
    if profile is None:
        raise Rejected(TokenStatus.WRONG_TYPE, "typ")
    if not compact.header.kid:
        raise Rejected(TokenStatus.KEY_UNKNOWN, "no kid")
    key = trust.ring.verification_key(compact.header.kid, now=now, retired_for=trust.longest_life)
    members = read_members(verify_signature(compact, key))
    _check_issuer(issuer_of(members), trust, now)
    claims = parse_claims(members, profile=profile, api_key=trust.app.api_key)
    return VerifiedToken(trust.app.api_key, key.key_id, key.algorithm, claims)


def _verify_unmanaged(compact: CompactToken, trust: AppTrust, now: datetime) -> VerifiedToken:
    """A token that the holder of the imported secret minted: no kid, any issuer."""
    key = trust.ring.verification_key(_unmanaged_key_id(trust), now=now, retired_for=trust.longest_life)
    claims = parse_unmanaged(read_members(verify_signature(compact, key)))
    return VerifiedToken(trust.app.api_key, key.key_id, key.algorithm, claims)


def _recheck(token: VerifiedToken, trust: AppTrust, now: datetime) -> None:
    """What may have changed since a signature was verified: the key's state, the issuers, the app's switches."""
    key_id = token.key_id if token.claims.managed else _unmanaged_key_id(trust)
    trust.ring.verification_key(key_id, now=now, retired_for=trust.longest_life)
    if token.claims.managed:
        _check_issuer(token.claims.issuer, trust, now)


def _unmanaged_key_id(trust: AppTrust) -> KeyId:
    key_id = trust.ring.imported_key_id() if trust.app.settings.accept_unmanaged_tokens else None
    if key_id is None:
        raise Rejected(TokenStatus.KEY_UNKNOWN, "no kid")
    return key_id


def _check_issuer(issuer: str, trust: AppTrust, now: datetime) -> None:
    if not trust.accepts_issuer(issuer, now):
        raise Rejected(TokenStatus.ISSUER_MISMATCH)
