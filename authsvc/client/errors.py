"""What a call can end with instead of an answer: one small tree, a class for each thing a caller does about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Violation:
    """One fault of one request field: its path (``user.id``) and what would be right.

    ``reason`` is text, not an enumeration: a newer service may know more reasons than this client.
    """

    field: str
    description: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """What a failed call said, decoded.

    ``code`` is the name of the gRPC status. ``reason`` is the service's own, or the code's name where the call never
    reached the service. ``retry_after`` is how long to wait before a repeat may succeed.
    """

    code: str
    reason: str
    message: str
    violations: tuple[Violation, ...] = ()
    retry_after: timedelta | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


class AuthClientError(Exception):
    """A call that failed. Catch a subclass for what to do about it, compare ``reason`` for more."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)  # so that it pickles and copies
        self.code = failure.code
        self.reason = failure.reason
        self.message = failure.message
        self.violations = failure.violations
        self.retry_after = failure.retry_after
        self.metadata = failure.metadata
        self.error_id = failure.metadata.get("error_id", "")
        """Names the entry in the service's log; empty but for INTERNAL."""

    def __str__(self) -> str:
        faults = "; ".join(f"{each.field}: {each.description}" for each in self.violations)
        return f"{self.reason}: {self.message}" + (f" ({faults})" if faults else "")


class Unauthenticated(AuthClientError):
    """This service's own credential is missing or not accepted; never about the end user."""


class PermissionDenied(AuthClientError):
    """The credential is good, and the account's permissions or the app's switches say no."""


class NotFound(AuthClientError):
    """What the request names does not exist."""


class InvalidRequest(AuthClientError):
    """The request breaks rules; ``violations`` names each field."""


class RefreshRefused(AuthClientError):
    """The refresh token or its session has ended: the user signs in again."""


class PreconditionFailed(AuthClientError):
    """The state of the thing named forbids the change."""


class AlreadyExists(AuthClientError):
    """A thing with this name is there already; nothing was changed."""


class Conflict(AuthClientError):
    """The etag is out of date: read again and repeat the change."""


class Exhausted(AuthClientError):
    """A limit was reached; ``retry_after`` says when to come back."""


class DeadlineExceeded(AuthClientError):
    """No answer came in time; whether the call had an effect is not known."""


class MethodUnknown(AuthClientError):
    """The service at the target has no such method: another service, or an older version."""


class Unavailable(AuthClientError):
    """The service cannot be reached or cannot answer now; a repeat may succeed."""


class Internal(AuthClientError):
    """A fault of the service; its log has more under ``error_id``."""
