"""What a good token says, and what is raised for one that is not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from google.protobuf.json_format import MessageToDict

from authsvc.client.errors import AuthClientError, Failure, Unavailable
from authsvc.model import Kind, TokenScope, TokenStatus, session_text
from authsvc.v1 import auth_pb2 as v1
from authsvc.verify.verdict import ERROR_CODES, MESSAGES, VerifiedToken

_NO_CUSTOM: Mapping[str, object] = {}  # shared, and nothing writes to it
_NO_SCOPE = TokenScope()
_KINDS = {getattr(v1, f"TOKEN_KIND_{kind.name}"): kind for kind in Kind}


class CheckedToken(NamedTuple):
    """The claims of a token that was found good; only a verifier makes one.

    Text that is not set is empty, moments None: ``expires_at`` of a token that never expires, ``issued_at`` of one that
    does not say. A token with a ``scope`` is good for the call or channel that was asked, and for no other.
    """

    api_key: str
    user_id: str
    kind: Kind
    role: str = ""
    name: str = ""
    image: str = ""
    custom: Mapping[str, object] = _NO_CUSTOM
    scope: TokenScope = _NO_SCOPE
    audience: tuple[str, ...] = ()
    issuer: str = ""
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    token_id: str = ""
    session_id: str = ""
    key_id: str = ""
    algorithm: str = ""
    custom_claims: Mapping[str, object] = _NO_CUSTOM


class TokenNotActive(AuthClientError):
    """The token may not be relied on for what was asked. ``status`` is the service's word for why, ``error_code`` the
    number that clients of the seed systems switch on: 40 refresh, 43 signature, 5 authentication, 17 not allowed."""

    def __init__(self, status: str) -> None:
        known = status in TokenStatus.__members__
        message = MESSAGES[TokenStatus(status)] if known else "the token is not active"
        super().__init__(Failure(code="UNAUTHENTICATED", reason=status, message=message))
        self.status = status
        self.error_code = ERROR_CODES[TokenStatus(status)] if known else 5

    def __reduce__(self) -> tuple[type[TokenNotActive], tuple[str]]:
        return type(self), (self.status,)


class TrustStale(Unavailable):
    """Whether the token is good cannot be said: what is known of keys and revocations is too old, or not there yet."""

    def __init__(self, message: str = "what this verifier knows is too old: it cannot reach the service") -> None:
        super().__init__(Failure(code="UNAVAILABLE", reason="STALE", message=message))

    def __reduce__(self) -> tuple[type[TrustStale], tuple[str]]:
        return type(self), (self.message,)


def checked_locally(token: VerifiedToken) -> CheckedToken:
    """What a token says that was verified here."""
    claims, user = token.claims, token.claims.user
    return CheckedToken(
        api_key=token.api_key,
        user_id=user.id,
        kind=claims.kind,
        role=user.role,
        name=user.name,
        image=user.image,
        custom=user.custom or _NO_CUSTOM,
        scope=claims.scope,
        audience=claims.audience,
        issuer=claims.issuer,
        issued_at=_moment(claims.issued_at),
        expires_at=_moment(claims.expires_at),
        token_id=claims.token_id,
        session_id="" if claims.session_id is None else session_text(claims.session_id),
        key_id=token.key_id,
        algorithm="" if token.algorithm is None else token.algorithm.value,
        custom_claims=claims.custom_claims or _NO_CUSTOM,
    )


def checked_by_service(answer: v1.ValidateTokenResponse) -> CheckedToken:
    """What a token says that the service was asked about; raises ``TokenNotActive``."""
    if not answer.active:
        raise TokenNotActive(v1.TokenStatus.Name(answer.status).removeprefix("TOKEN_STATUS_"))
    info = answer.info
    return CheckedToken(
        api_key=info.api_key,
        user_id=info.user.id,
        kind=_KINDS[info.kind],
        role=info.user.role,
        name=info.user.name,
        image=info.user.image,
        custom=MessageToDict(info.user.custom) if info.user.HasField("custom") else _NO_CUSTOM,
        scope=TokenScope(tuple(info.scope.call_cids), tuple(info.scope.channel_cids)),
        audience=tuple(info.audience),
        issuer=info.issuer,
        issued_at=info.issued_at.ToDatetime(UTC) if info.HasField("issued_at") else None,
        expires_at=info.expires_at.ToDatetime(UTC) if info.HasField("expires_at") else None,
        token_id=info.token_id,
        session_id=info.session_id,
        key_id=info.key_id,
        algorithm=info.algorithm,
        custom_claims=MessageToDict(info.custom_claims) if info.HasField("custom_claims") else _NO_CUSTOM,
    )


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
