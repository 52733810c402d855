"""What a good token says, and what is raised for one that is not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from google.protobuf.json_format import MessageToDict

from authsvc.client.errors import AuthClientError, Failure, Unavailable
from authsvc.client.homes import Unusable
from authsvc.model import (
    Algorithm,
    ApiKey,
    KeyId,
    Kind,
    TokenId,
    TokenScope,
    TokenStatus,
    User,
    UserId,
    session_id_of,
    session_text,
)
from authsvc.v1 import auth_pb2 as v1
from authsvc.verify.claims import AccessClaims
from authsvc.verify.verdict import ERROR_CODES, MESSAGES, VerifiedToken

_TOO_OLD: Final = "what this verifier knows is too old"
_ALGORITHMS = {algorithm.value: algorithm for algorithm in Algorithm}
_KINDS = {getattr(v1, f"TOKEN_KIND_{kind.name}"): kind for kind in Kind}


class CheckedToken:
    """The claims of a token that was found good; only a verifier makes one, and nothing changes it.

    Text that is not set is empty, moments None: ``expires_at`` of a token that never expires, ``issued_at`` of one that
    does not say. A token with a ``scope`` is good for the call or channel that was asked, and for no other.
    ``custom``, ``custom_claims`` and ``verified`` are copies, another one at each look: one object is given to all who
    show the token, and what one of them writes must be seen by nobody else.
    """

    __slots__ = ("_token", "_verified_here")

    # Each is read from the token when it is asked for: most programs want two of them.

    def __init__(self, token: VerifiedToken, *, verified_here: bool = True) -> None:
        """``verified_here``: that is what its signature was verified by, and not the service's word."""
        self._token = token
        self._verified_here = verified_here

    @property
    def api_key(self) -> str:
        """The app."""
        return self._token.api_key

    @property
    def user_id(self) -> str:
        """Whom the token speaks for."""
        return self._token.claims.user.id

    @property
    def kind(self) -> Kind:
        """Of which kind the user is."""
        return self._token.claims.kind

    @property
    def role(self) -> str:
        """The user's role."""
        return self._token.claims.user.role

    @property
    def name(self) -> str:
        """The user's name."""
        return self._token.claims.user.name

    @property
    def image(self) -> str:
        """Where an image of the user is."""
        return self._token.claims.user.image

    @property
    def custom(self) -> Mapping[str, object]:
        """What else is said of the user: JSON values, the caller's own to change."""
        return _copy(self._token.claims.user.custom)

    @property
    def scope(self) -> TokenScope:
        """The calls and channels the token is limited to."""
        return self._token.claims.scope

    @property
    def audience(self) -> tuple[str, ...]:
        """Whom the token is meant for."""
        return self._token.claims.audience

    @property
    def issuer(self) -> str:
        """Who minted it."""
        return self._token.claims.issuer

    @property
    def issued_at(self) -> datetime | None:
        """When it was minted."""
        return _moment(self._token.claims.issued_at)

    @property
    def expires_at(self) -> datetime | None:
        """When it ends."""
        return _moment(self._token.claims.expires_at)

    @property
    def token_id(self) -> str:
        """The ``jti``."""
        return self._token.claims.token_id

    @property
    def session_id(self) -> str:
        """The session it belongs to."""
        session_id = self._token.claims.session_id
        return "" if session_id is None else session_text(session_id)

    @property
    def key_id(self) -> str:
        """The ``kid`` of the key that signed it."""
        return self._token.key_id

    @property
    def algorithm(self) -> str:
        """How it was signed."""
        return "" if self._token.algorithm is None else self._token.algorithm.value

    @property
    def custom_claims(self) -> Mapping[str, object]:
        """Claims of the app's own: JSON values, the caller's own to change."""
        return _copy(self._token.claims.custom_claims)

    @property
    def verified(self) -> VerifiedToken | None:
        """What was verified here; None where the service was asked."""
        token = kept(self)
        return None if token is None else _apart(token)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CheckedToken) and self._said() == other._said()

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in zip(_SAID, self._said(), strict=True))
        return f"CheckedToken({said})"

    def _said(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in _SAID)


def kept(checked: CheckedToken) -> VerifiedToken | None:
    """As ``checked.verified``, itself instead of a copy: for a verifier's memory, which writes nothing to it."""
    return checked._token if checked._verified_here else None


_SAID: Final = (
    "api_key", "user_id", "kind", "role", "name", "image", "custom", "scope", "audience", "issuer", "issued_at",
    "expires_at", "token_id", "session_id", "key_id", "algorithm", "custom_claims",
)  # fmt: skip


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
    """Whether the token is good cannot be said: what is known of keys and revocations is too old, or not there yet.

    The message says why nothing newer was heard, where that is known, and ``__cause__`` is the error that says so.
    """

    def __init__(self, message: str = f"{_TOO_OLD}: nothing newer was heard of the service") -> None:
        super().__init__(Failure(code="UNAVAILABLE", reason="STALE", message=message))

    def __reduce__(self) -> tuple[type[TrustStale], tuple[str]]:
        return type(self), (self.message,)


def trust_stale(cause: Exception | None) -> TrustStale:
    """What is raised where nothing newer was heard because of that, if it is known."""
    if cause is None:
        return TrustStale()
    said = str(cause) if isinstance(cause, AuthClientError | Unusable) else f"{type(cause).__name__}: {cause}"
    stale = TrustStale(f"{_TOO_OLD}: {said}")
    stale.__cause__ = cause
    return stale


def checked_by_service(answer: v1.ValidateTokenResponse) -> CheckedToken:
    """What a token says that the service was asked about; raises ``TokenNotActive``."""
    if not answer.active:
        raise TokenNotActive(v1.TokenStatus.Name(answer.status).removeprefix("TOKEN_STATUS_"))
    info = answer.info
    user = User(
        UserId(info.user.id),
        info.user.role,
        info.user.name,
        info.user.image,
        MessageToDict(info.user.custom) if info.user.HasField("custom") else None,
    )
    claims = AccessClaims(
        issuer=info.issuer,
        kind=_KINDS[info.kind],
        user=user,
        token_id=TokenId(info.token_id),
        token_revision=None,
        issued_at=info.issued_at.seconds if info.HasField("issued_at") else None,
        expires_at=info.expires_at.seconds if info.HasField("expires_at") else None,
        not_before=None,
        session_id=session_id_of(info.session_id),
        audience=tuple(info.audience),
        scope=TokenScope(tuple(info.scope.call_cids), tuple(info.scope.channel_cids)),
        custom_claims=MessageToDict(info.custom_claims) if info.HasField("custom_claims") else {},
    )
    algorithm = Algorithm(info.algorithm) if info.algorithm else None
    return CheckedToken(VerifiedToken(ApiKey(info.api_key), KeyId(info.key_id), algorithm, claims), verified_here=False)


def _apart(token: VerifiedToken) -> VerifiedToken:
    """The same, and nothing of it can be written to that another one holds."""
    claims = token.claims
    custom = None if claims.user.custom is None else _copy(claims.user.custom)
    user = claims.user._replace(custom=custom)
    return token._replace(claims=claims._replace(user=user, custom_claims=_copy(claims.custom_claims)))


def _copy(members: Mapping[str, object] | None) -> dict[str, object]:
    return {name: _copied(value) for name, value in members.items()} if members else {}


def _copied(value: object) -> object:
    """A copy of a JSON value: only objects and arrays can be written to."""
    if isinstance(value, dict):
        return _copy(value)
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
