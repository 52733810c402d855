"""The SDK: what a backend service calls authsvc with.

Owns the channel (TLS unless on loopback), deadlines, retries, request ids and the tree of errors that callers catch.
Must not know how the server works inside: it shares the contract, the logs and the verifier, nothing else.
"""

from authsvc.client.admin import AdminCalls
from authsvc.client.auth import AuthClient
from authsvc.client.errors import (
    AlreadyExists,
    AuthClientError,
    Conflict,
    DeadlineExceeded,
    Exhausted,
    Failure,
    Internal,
    InvalidRequest,
    MethodUnknown,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RefreshRefused,
    Unauthenticated,
    Unavailable,
    Violation,
)
from authsvc.client.retries import Retries
from authsvc.client.status import item_error

__all__ = [
    "AdminCalls",
    "AlreadyExists",
    "AuthClient",
    "AuthClientError",
    "Conflict",
    "DeadlineExceeded",
    "Exhausted",
    "Failure",
    "Internal",
    "InvalidRequest",
    "MethodUnknown",
    "NotFound",
    "PermissionDenied",
    "PreconditionFailed",
    "RefreshRefused",
    "Retries",
    "Unauthenticated",
    "Unavailable",
    "Violation",
    "item_error",
]
