"""What the service talks about: frozen records and distinct ids.

Owns the shapes and the defaults of settings. Must not know storage, the wire, cryptography or policy.
All moments are aware UTC datetimes, all ``*_ttl`` are timedeltas.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, NewType

ApiKey = NewType("ApiKey", str)
UserId = NewType("UserId", str)
KeyId = NewType("KeyId", str)
TokenId = NewType("TokenId", str)
SessionId = NewType("SessionId", bytes)
"""The 16 bytes of a UUID; its text form is lower-case and hyphenated."""
AccountId = NewType("AccountId", str)
CredentialId = NewType("CredentialId", str)
Revision = NewType("Revision", int)
"""The store-wide number of a change; later commits have larger ones."""


def session_text(session_id: SessionId) -> str:
    """The text of a session id, as ``sid`` and ``session_id`` show it."""
    digits = session_id.hex()  # a UUID object would cost ten times as much
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def session_id_of(text: str) -> SessionId | None:
    """The session id whose text this is; None for any other text, other spellings of it included."""
    try:
        session_id = SessionId(uuid.UUID(text).bytes)
    except ValueError:
        return None
    return session_id if session_text(session_id) == text else None


class Permission(StrEnum):
    """What a service account may be allowed to do."""

    TOKENS_ISSUE = "tokens.issue"
    TOKENS_REFRESH = "tokens.refresh"
    TOKENS_VALIDATE = "tokens.validate"
    TOKENS_REVOKE = "tokens.revoke"
    TRUST_READ = "trust.read"
    ADMIN_READ = "admin.read"
    ADMIN_WRITE = "admin.write"


class Algorithm(StrEnum):
    """Signature algorithms, by their RFC 7518 and RFC 8037 names."""

    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"
    EDDSA = "EdDSA"
    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"
    HS256 = "HS256"
    HS384 = "HS384"
    HS512 = "HS512"


APP_ALGORITHMS = (Algorithm.ES256, Algorithm.EDDSA, Algorithm.RS256, Algorithm.HS256)
"""Those an app can choose; the others are known at the signature layer only."""


class Profile(StrEnum):
    """The shape of an access token's claims; ``at+jwt`` is that of RFC 9068."""

    CLASSIC = "classic"
    AT_JWT = "at+jwt"


class Kind(StrEnum):
    """Whom a token speaks for."""

    USER = "user"
    GUEST = "guest"
    ANONYMOUS = "anonymous"
    DEVELOPMENT = "development"


class KeyState(StrEnum):
    """The life of a key; ``gone`` is no row at all."""

    PENDING = "pending"
    ACTIVE = "active"
    RETIRED = "retired"
    REVOKED = "revoked"


LONGEST_CLOCK_SKEW = timedelta(seconds=120)
"""What an app may allow its verifiers at most: a token that expired longer ago is dead under every setting."""


@dataclass(frozen=True, slots=True)
class AppSettings:
    """What an operator chooses for an app. ``issuer`` empty: the server's; ``key_rotation_age`` None: never."""

    issuer: str = ""
    algorithm: Algorithm = Algorithm.ES256
    profile: Profile = Profile.CLASSIC
    default_ttl: timedelta = timedelta(hours=1)
    max_ttl: timedelta = timedelta(hours=24)
    allow_never_expires: bool = False
    default_audience: tuple[str, ...] = ()
    session_idle_ttl: timedelta = timedelta(days=14)
    session_max_ttl: timedelta = timedelta(days=90)
    refresh_grace: timedelta = timedelta(seconds=30)
    refresh_replay_ttl: timedelta = timedelta(hours=1)
    clock_skew: timedelta = timedelta(seconds=30)
    issued_at_backdate: timedelta = timedelta(seconds=5)
    allow_development_tokens: bool = False
    guests_enabled: bool = False
    anonymous_enabled: bool = False
    public_guests: bool = False
    public_anonymous_cids: tuple[str, ...] = ()
    anonymous_role: str = "viewer"
    anonymous_roles: tuple[str, ...] = ()
    allow_unscoped_anonymous: bool = False
    accept_unmanaged_tokens: bool = False
    key_rotation_age: timedelta | None = None
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class PastIssuer:
    """An issuer the app minted under until ``until``; its tokens are accepted while they can live."""

    issuer: str
    until: datetime


@dataclass(frozen=True, slots=True)
class App:
    """A tenant. ``longest_ttl_ever``, ``longest_session_ever`` and ``ever_non_expiring`` only grow.

    ``past_issuers`` holds at most the last two, newest first. ``version`` counts edits (the etag).
    """

    api_key: ApiKey
    settings: AppSettings
    longest_ttl_ever: timedelta
    longest_session_ever: timedelta
    ever_non_expiring: bool
    past_issuers: tuple[PastIssuer, ...]
    version: int
    revision: Revision
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A signing key as the store keeps it: the secret part sealed, the public part as canonical JWK text.

    ``public_jwk`` is empty for HMAC keys, which have no public part. ``imported``: others hold the secret too and mint
    tokens of their own with it, which name no kid.
    """

    api_key: ApiKey
    key_id: KeyId
    algorithm: Algorithm
    state: KeyState
    sealed: bytes
    public_jwk: str
    created_at: datetime
    activated_at: datetime | None
    retired_at: datetime | None
    revoked_at: datetime | None
    imported: bool
    revision: Revision


@dataclass(frozen=True, slots=True)
class Credential:
    """One secret of a service account: the SHA-256 of its text, never the text."""

    id: CredentialId
    digest: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A backend service that may call us. ``apps`` is meaningless where ``all_apps`` is set."""

    id: AccountId
    name: str
    permissions: frozenset[Permission]
    all_apps: bool
    apps: frozenset[ApiKey]
    audiences: tuple[str, ...]
    disabled: bool
    credentials: tuple[Credential, ...]
    version: int
    revision: Revision
    created_at: datetime
    updated_at: datetime


PUBLIC_ID = AccountId("public")
"""Stands for callers that nobody knows. No account can have it: their ids have sixteen characters."""


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated calling service: what the rules of a call are decided by.

    ``credential`` is the id of what it proved itself with. Under ``PUBLIC_ID`` it is whoever calls an open method
    instead, for one app, from ``address``.
    """

    account_id: AccountId
    name: str
    permissions: frozenset[Permission]
    all_apps: bool
    apps: frozenset[ApiKey]
    audiences: tuple[str, ...]
    address: str = ""
    credential: str = ""

    @property
    def public(self) -> bool:
        """Whether this is anybody: no service has proved who it is."""
        return self.account_id == PUBLIC_ID

    def may_act_for(self, api_key: ApiKey) -> bool:
        """Whether this service may act for that app."""
        return self.all_apps or api_key in self.apps


class User(NamedTuple):
    """The end user a token speaks for. Empty text and no mapping mean: not set.

    A tuple, as all that is made for each token: a third of a record's price.
    """

    id: UserId
    role: str = ""
    name: str = ""
    image: str = ""
    custom: Mapping[str, object] | None = None


class TokenScope(NamedTuple):
    """The calls and channels a token is limited to. Both empty: not limited."""

    call_cids: tuple[str, ...] = ()
    channel_cids: tuple[str, ...] = ()

    @property
    def limited(self) -> bool:
        """Whether the token is limited at all."""
        return bool(self.call_cids or self.channel_cids)


NO_SCOPE = TokenScope()


class Session(NamedTuple):
    """One login and its chain of rotated refresh tokens; ``generation`` is the live one.

    ``revoked_at`` is its own column: a revocation never looks like a rotation.
    """

    id: SessionId
    api_key: ApiKey
    kind: Kind
    user: User
    scope: TokenScope
    audience: tuple[str, ...]
    custom_claims: Mapping[str, object]
    profile: Profile
    access_ttl: timedelta
    generation: int
    rotated_at: datetime
    request_id_hash: bytes
    created_revision: Revision
    created_at: datetime
    idle_expires_at: datetime
    absolute_expires_at: datetime
    revoked_at: datetime | None
    revoke_reason: str
    caller: AccountId
    opened_public: bool


@dataclass(frozen=True, slots=True)
class Watermark:
    """What was revoked for a user (or, with ``user_id`` None, for a whole app) in O(1).

    ``tokens_revision``/``sessions_revision``: all of ours with a smaller revision.
    ``tokens_revoked_at``: tokens without a revision of ours whose iat is missing or not after it.
    ``tokens_issued_before``/``sessions_created_before``: times alone, set by an explicit moment.
    ``sessions_revoked_at``: when ``sessions_revision`` was set; decides nothing but how long this is remembered.
    Parts only grow, but for the three about tokens when they are cleared.
    """

    api_key: ApiKey
    user_id: UserId | None
    tokens_revision: Revision = Revision(0)
    tokens_revoked_at: datetime | None = None
    tokens_issued_before: datetime | None = None
    sessions_revision: Revision = Revision(0)
    sessions_created_before: datetime | None = None
    revision: Revision = Revision(0)
    sessions_revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SessionRevoked:
    """A session ended before its time; remembered until no token can live that was minted at its absolute end."""

    api_key: ApiKey
    session_id: SessionId
    until: datetime
    revision: Revision


@dataclass(frozen=True, slots=True)
class TokenRevoked:
    """A single token ended; remembered until it would have expired (None: for ever)."""

    api_key: ApiKey
    token_id: TokenId
    until: datetime | None
    revision: Revision


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A service-wide secret at rest: ``number`` tells the ones with the same purpose apart (0..255)."""

    purpose: str
    number: int
    sealed: bytes
    created_at: datetime
    revision: Revision = Revision(0)


@dataclass(frozen=True, slots=True)
class LogLevel:
    """The level one scope writes from until a moment; empty: the default's. It ends by itself."""

    scope: str
    level: str
    until: datetime
    revision: Revision = Revision(0)


class Subject(StrEnum):
    """What kind of thing a change of the feed is about."""

    APP = "app"
    KEY = "key"
    ACCOUNT = "account"
    SESSION = "session"
    TOKEN = "token"
    WATERMARK = "watermark"
    SECRET = "secret"
    LEVEL = "level"


@dataclass(frozen=True, slots=True)
class Gone:
    """Something the feed told of earlier is no more: a key, a single token's revocation, a secret, a log level.

    ``subject`` is what the feed calls it: kid, jti, ``<purpose>/<number>`` or scope.
    """

    kind: Subject
    api_key: ApiKey
    subject: str
    revision: Revision


Change = App | KeyRecord | ServiceAccount | SessionRevoked | TokenRevoked | Watermark | SealedSecret | LogLevel | Gone
"""What the feed carries: everything a worker decides from. The larger ``revision`` of a thing is the newer."""


@dataclass(frozen=True, slots=True)
class Commit:
    """The changes of one committed transaction under its revision."""

    revision: Revision
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One row of the audit: who did what to whom, and how it ended. Never a token or a secret."""

    at: datetime
    action: str
    principal: str
    api_key: str
    subject: str
    outcome: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An audit event as it is kept. ``id`` grows; ``revision`` 0: nothing changed."""

    id: int
    revision: Revision
    event: AuditEvent


class TokenStatus(StrEnum):
    """The answer about a token; the first check that fails decides."""

    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    ISSUED_IN_FUTURE = "ISSUED_IN_FUTURE"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    MALFORMED = "MALFORMED"
    KEY_UNKNOWN = "KEY_UNKNOWN"
    KEY_REVOKED = "KEY_REVOKED"
    ALGORITHM_MISMATCH = "ALGORITHM_MISMATCH"
    WRONG_TYPE = "WRONG_TYPE"
    ISSUER_MISMATCH = "ISSUER_MISMATCH"
    AUDIENCE_MISMATCH = "AUDIENCE_MISMATCH"
    CLAIM_INVALID = "CLAIM_INVALID"
    REVOKED = "REVOKED"
    SESSION_REVOKED = "SESSION_REVOKED"
    DEVELOPMENT_TOKENS_DISABLED = "DEVELOPMENT_TOKENS_DISABLED"
    SCOPE_DENIED = "SCOPE_DENIED"
    ROLE_DENIED = "ROLE_DENIED"
    APP_SUSPENDED = "APP_SUSPENDED"
