"""The answer about a token, with the sentence and the number that client SDKs already know."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from authsvc.model import Algorithm, ApiKey, KeyId, TokenStatus
from authsvc.verify.claims import AccessClaims


class VerifiedToken(NamedTuple):
    """Claims whose signature was verified, with the key that did it. Only the verifier makes one.

    An accepted development token has neither: an empty ``key_id`` and no algorithm.
    """

    api_key: ApiKey
    key_id: KeyId
    algorithm: Algorithm | None
    claims: AccessClaims


_ACTIVE = TokenStatus.ACTIVE


class Verdict(NamedTuple):
    """``token`` is set exactly when signature and issuer were accepted and the claims could be read.

    A tuple, as one is made for each token of a batch: a third of a record's price.
    """

    status: TokenStatus
    token: VerifiedToken | None = None
    detail: str = ""

    @property
    def active(self) -> bool:
        """Whether the token may be relied on, for exactly what was asked."""
        return self.status is _ACTIVE


# Numbers that clients of the seed systems switch on: 40 refresh, 43 signature, 5 authentication, 17 not allowed,
# 99 suspended.
ERROR_CODES: Mapping[TokenStatus, int] = MappingProxyType(
    {
        TokenStatus.ACTIVE: 0,
        TokenStatus.EXPIRED: 40,
        TokenStatus.NOT_YET_VALID: 41,
        TokenStatus.ISSUED_IN_FUTURE: 42,
        TokenStatus.SIGNATURE_INVALID: 43,
        TokenStatus.MALFORMED: 5,
        TokenStatus.KEY_UNKNOWN: 43,
        TokenStatus.KEY_REVOKED: 40,
        TokenStatus.ALGORITHM_MISMATCH: 43,
        TokenStatus.WRONG_TYPE: 5,
        TokenStatus.ISSUER_MISMATCH: 5,
        TokenStatus.AUDIENCE_MISMATCH: 17,
        TokenStatus.CLAIM_INVALID: 5,
        TokenStatus.REVOKED: 40,
        TokenStatus.SESSION_REVOKED: 40,
        TokenStatus.DEVELOPMENT_TOKENS_DISABLED: 43,
        TokenStatus.SCOPE_DENIED: 17,
        TokenStatus.ROLE_DENIED: 17,
        TokenStatus.APP_SUSPENDED: 99,
    }
)

MESSAGES: Mapping[TokenStatus, str] = MappingProxyType(
    {
        TokenStatus.ACTIVE: "the token is valid",
        TokenStatus.EXPIRED: "the token has expired; refresh it",
        TokenStatus.NOT_YET_VALID: "the token is not valid yet (nbf is ahead of this server's clock)",
        TokenStatus.ISSUED_IN_FUTURE: "the token was issued in the future (iat is ahead of this server's clock)",
        TokenStatus.SIGNATURE_INVALID: "the signature does not fit the token",
        TokenStatus.MALFORMED: "not a compact signed token of this service",
        TokenStatus.KEY_UNKNOWN: "this app has no key with the token's kid; is it a token of another app?",
        TokenStatus.KEY_REVOKED: "the key that signed the token was revoked; refresh the token",
        TokenStatus.ALGORITHM_MISMATCH: "the token names another algorithm than its key has",
        TokenStatus.WRONG_TYPE: "this is another kind of token, not a user's access token",
        TokenStatus.ISSUER_MISMATCH: "the token comes from an issuer this app does not accept",
        TokenStatus.AUDIENCE_MISMATCH: "the token is meant for another audience; name yours in the request",
        TokenStatus.CLAIM_INVALID: "a claim of the token is missing, of a wrong type or out of range",
        TokenStatus.REVOKED: "the token was revoked; the user signs in again",
        TokenStatus.SESSION_REVOKED: "the session of the token was revoked; the user signs in again",
        TokenStatus.DEVELOPMENT_TOKENS_DISABLED: "development tokens are not accepted here",
        TokenStatus.SCOPE_DENIED: "the token is limited to certain calls or channels; ask with one of them",
        TokenStatus.ROLE_DENIED: "the token's role is not one of those asked for",
        TokenStatus.APP_SUSPENDED: "the app is suspended",
    }
)
