"""What can go wrong, as meaning: one tree of errors with a stable reason, a constant safe text and a private detail.

Owns the reasons and their texts. Must not know how an error travels: the table from reasons to
status codes lives in ``authsvc.rpc.status``, the SDK's own tree in ``authsvc.client.errors``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType


class Reason(StrEnum):
    """Stable, machine-readable: callers switch on it, so a name never changes its meaning."""

    CREDENTIAL_MISSING = "CREDENTIAL_MISSING"
    CREDENTIAL_INVALID = "CREDENTIAL_INVALID"
    PERMISSION_MISSING = "PERMISSION_MISSING"
    APP_NOT_ALLOWED = "APP_NOT_ALLOWED"
    APP_SUSPENDED = "APP_SUSPENDED"
    GUESTS_DISABLED = "GUESTS_DISABLED"
    ANONYMOUS_DISABLED = "ANONYMOUS_DISABLED"
    PUBLIC_GUESTS_DISABLED = "PUBLIC_GUESTS_DISABLED"
    SCOPE_NOT_PUBLIC = "SCOPE_NOT_PUBLIC"
    NEVER_EXPIRES_NOT_ALLOWED = "NEVER_EXPIRES_NOT_ALLOWED"
    GRANT_EXCEEDS_OWN = "GRANT_EXCEEDS_OWN"
    APP_NOT_FOUND = "APP_NOT_FOUND"
    KEY_NOT_FOUND = "KEY_NOT_FOUND"
    SERVICE_ACCOUNT_NOT_FOUND = "SERVICE_ACCOUNT_NOT_FOUND"
    CREDENTIAL_NOT_FOUND = "CREDENTIAL_NOT_FOUND"
    INVALID_REQUEST = "INVALID_REQUEST"
    TTL_TOO_LONG = "TTL_TOO_LONG"
    RESERVED_CLAIM = "RESERVED_CLAIM"
    TOKEN_TOO_LARGE = "TOKEN_TOO_LARGE"
    REFRESH_TOKEN_INVALID = "REFRESH_TOKEN_INVALID"
    REFRESH_TOKEN_EXPIRED = "REFRESH_TOKEN_EXPIRED"
    REFRESH_TOKEN_REUSED = "REFRESH_TOKEN_REUSED"
    SESSION_REVOKED = "SESSION_REVOKED"
    KEY_NOT_READY = "KEY_NOT_READY"
    CREDENTIAL_LIMIT = "CREDENTIAL_LIMIT"
    APP_EXISTS = "APP_EXISTS"
    SERVICE_ACCOUNT_EXISTS = "SERVICE_ACCOUNT_EXISTS"
    CONFLICT = "CONFLICT"
    RATE_LIMITED = "RATE_LIMITED"
    OVERLOADED = "OVERLOADED"
    REQUEST_TOO_LARGE = "REQUEST_TOO_LARGE"
    DEADLINE_TOO_SHORT = "DEADLINE_TOO_SHORT"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    METHOD_UNKNOWN = "METHOD_UNKNOWN"
    SERVICE_UNKNOWN = "SERVICE_UNKNOWN"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    STALE = "STALE"
    DRAINING = "DRAINING"
    INTERNAL = "INTERNAL"


# Constant per reason: a text never carries a token, a secret, SQL or an exception's words.
TEXTS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.CREDENTIAL_MISSING: "send exactly one metadata entry 'authorization: Bearer <service credential>'",
        Reason.CREDENTIAL_INVALID: "the service credential is malformed, unknown, revoked or its account is disabled",
        Reason.PERMISSION_MISSING: "the service account does not hold the permission this method needs",
        Reason.APP_NOT_ALLOWED: "the service account may not act for this app",
        Reason.APP_SUSPENDED: "the app is suspended",
        Reason.GUESTS_DISABLED: "the app does not allow guests (setting guests_enabled)",
        Reason.ANONYMOUS_DISABLED: "the app does not allow anonymous users (setting anonymous_enabled)",
        Reason.PUBLIC_GUESTS_DISABLED: "this app has no guests without a service credential (setting public_guests)",
        Reason.SCOPE_NOT_PUBLIC: "the scope goes beyond what the app opens to everyone (setting public_anonymous_cids)",
        Reason.NEVER_EXPIRES_NOT_ALLOWED: "the app does not allow tokens without expiry (setting allow_never_expires)",
        Reason.GRANT_EXCEEDS_OWN: "a service account can grant only what it holds itself",
        Reason.APP_NOT_FOUND: "no app has this api_key",
        Reason.KEY_NOT_FOUND: "the app has no key with this id",
        Reason.SERVICE_ACCOUNT_NOT_FOUND: "no service account has this id",
        Reason.CREDENTIAL_NOT_FOUND: "the service account has no credential with this id",
        Reason.INVALID_REQUEST: "the request has faults; the details name each field",
        Reason.TTL_TOO_LONG: "the lifetime is longer than the app allows (setting max_ttl)",
        Reason.RESERVED_CLAIM: "a custom claim uses a reserved name; the details name it",
        Reason.TOKEN_TOO_LARGE: "the token would be longer than 4096 bytes; send less custom data or a smaller scope",
        Reason.REFRESH_TOKEN_INVALID: "the refresh token is not one of ours",
        Reason.REFRESH_TOKEN_EXPIRED: "the session has expired; the user signs in again",
        Reason.REFRESH_TOKEN_REUSED: "an earlier refresh token came back: the session is revoked; sign in again",
        Reason.SESSION_REVOKED: "the session was revoked; the user signs in again",
        Reason.KEY_NOT_READY: "the app has no key that may sign now, or the one that is named may not",
        Reason.CREDENTIAL_LIMIT: "the service account already has two credentials; revoke one first",
        Reason.APP_EXISTS: "an app with this api_key exists",
        Reason.SERVICE_ACCOUNT_EXISTS: "a service account with this name exists",
        Reason.CONFLICT: "the resource changed meanwhile; read it again and repeat the change",
        Reason.RATE_LIMITED: "too many calls of this caller or for this app; the details say when to try again",
        Reason.OVERLOADED: "the service is at its limit; try again later",
        Reason.REQUEST_TOO_LARGE: "the request message is larger than this method accepts",
        Reason.DEADLINE_TOO_SHORT: "less than 10 ms were left of the deadline when the call arrived",
        Reason.DEADLINE_EXCEEDED: "the deadline passed before the work was begun; nothing was changed",
        Reason.METHOD_UNKNOWN: "this service has no such method",
        Reason.SERVICE_UNKNOWN: "this server has no service with that name",
        Reason.STORE_UNAVAILABLE: "the store cannot be reached; try again later",
        Reason.STALE: "this worker has not seen recent changes; try again later",
        Reason.DRAINING: "this worker is shutting down; another one will answer",
        Reason.INTERNAL: "an internal error; the log has more under the error id in the details",
    }
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One fault of one request field.

    ``field`` is the path in the request (``user.id``), ``description`` says what would be right.
    ``reason`` is more than INVALID_REQUEST only where callers need to tell this fault from others.
    """

    field: str
    description: str
    reason: Reason = Reason.INVALID_REQUEST


class AuthError(Exception):
    """A refusal with a meaning.

    ``metadata`` travels to the caller (short values that are no secret), ``retry_after`` says when a repeat may
    succeed, ``detail`` is for the log only and never leaves the process.
    """

    def __init__(
        self,
        reason: Reason,
        *,
        metadata: Mapping[str, str] | None = None,
        retry_after: timedelta | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.metadata: Mapping[str, str] = metadata or {}
        self.retry_after = retry_after
        self.detail = detail

    @property
    def text(self) -> str:
        """The constant sentence of this reason, safe to show to anyone."""
        return TEXTS[self.reason]


class CallerUnauthenticated(AuthError):
    """The calling service (never the end user) did not prove who it is."""


class CallerForbidden(AuthError):
    """The caller is known, and the rules or switches of the app say no."""


class NotFound(AuthError):
    """The thing named in the request does not exist, and the caller may know that."""


class RefreshRefused(AuthError):
    """The refresh token or its session cannot be used any more."""


class KeyNotReady(AuthError):
    """The app has no key in a state that signs, or the one that is named may not sign yet, or not again.

    ``signs_from`` is when it may, where only its lead time is missing; the metadata has it by that name, in RFC 3339.
    """

    def __init__(self, *, signs_from: datetime | None = None, detail: str = "") -> None:
        told = {} if signs_from is None else {"signs_from": f"{signs_from.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"}
        super().__init__(Reason.KEY_NOT_READY, metadata=told, detail=detail)


class PreconditionFailed(AuthError):
    """The state of the resource forbids this change."""


class AlreadyExists(AuthError):
    """A thing with this name is there already; nothing was changed."""


class Conflict(AuthError):
    """The caller's copy of the resource is out of date."""

    def __init__(self, *, detail: str = "") -> None:
        super().__init__(Reason.CONFLICT, detail=detail)


class Exhausted(AuthError):
    """A limit was reached; the details say when to come back."""


class DeadlinePassed(AuthError):
    """The caller gave too little time; nothing was changed."""


class MethodUnknown(AuthError):
    """No such method."""

    def __init__(self) -> None:
        super().__init__(Reason.METHOD_UNKNOWN)


class Unavailable(AuthError):
    """The service cannot answer truthfully right now; a repeat may succeed."""


class InvalidRequest(AuthError):
    """The request breaks one rule or several; all of them are named at once."""

    def __init__(self, violations: Sequence[Violation], *, detail: str = "") -> None:
        if not violations:
            raise ValueError("an InvalidRequest names at least one violation")
        reasons = {violation.reason for violation in violations}
        super().__init__(reasons.pop() if len(reasons) == 1 else Reason.INVALID_REQUEST, detail=detail)
        self.violations = tuple(violations)


class Faults:
    """Collects the violations of one request, so that all of them are told at once."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []

    def add(self, field: str, description: str, reason: Reason = Reason.INVALID_REQUEST) -> None:
        """Note one fault."""
        self._violations.append(Violation(field, description, reason))

    def refuse_any(self) -> None:
        """Raise ``InvalidRequest`` with everything noted, if anything was."""
        if self._violations:
            raise InvalidRequest(self._violations)
