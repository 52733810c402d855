"""The SDK: what a backend service calls authsvc with.

Owns the channel (TLS unless on loopback), deadlines, retries, request ids and the tree of errors that callers catch.
Must not know how the server works inside: it shares the contract, the logs and the verifier, nothing else.

A name is imported when it is first asked for: whoever verifies tokens does not load what mints them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from authsvc.client.admin import AdminCalls, AsyncAdminCalls
    from authsvc.client.attaching.details import NoToken, Placement
    from authsvc.client.attaching.interceptor import UserTokenInterceptor
    from authsvc.client.attaching.interceptor_aio import user_token_interceptors
    from authsvc.client.auth import AsyncAuthClient, AuthClient
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
    from authsvc.client.guarding.current import current_token
    from authsvc.client.guarding.interceptor import TokenAuthInterceptor
    from authsvc.client.guarding.interceptor_aio import AsyncTokenAuthInterceptor
    from authsvc.client.guarding.rules import Rule
    from authsvc.client.guest import AsyncGuestCalls, GuestCalls
    from authsvc.client.logs import LogOptions
    from authsvc.client.retries import Retries
    from authsvc.client.status import item_error
    from authsvc.client.tls import TlsFiles, TlsUnusable
    from authsvc.client.tokens.alarms import AlarmThread
    from authsvc.client.tokens.faults import (
        NoUser,
        ProviderFailed,
        SignInRequired,
        TokenError,
        TokenExpired,
        TokenInvalid,
        TokenRefused,
        TokenTimeout,
        UserChanged,
        WrongUser,
    )
    from authsvc.client.tokens.manager import TokenManager
    from authsvc.client.tokens.manager_aio import AsyncTokenManager
    from authsvc.client.tokens.pace import Pace
    from authsvc.client.tokens.providers import TokenProvider
    from authsvc.client.tokens.sessions import SavedSession
    from authsvc.client.trust import AsyncTrustCalls, TrustCalls
    from authsvc.client.user.client import UserClient
    from authsvc.client.user.client_aio import AsyncUserClient
    from authsvc.client.user.connecting import AlreadyConnected
    from authsvc.client.user.people import EndUser
    from authsvc.client.verifier.checked import CheckedToken, TokenNotActive, TrustStale
    from authsvc.client.verifier.verifier import TokenVerifier
    from authsvc.client.verifier.verifier_aio import AsyncTokenVerifier

# Three lists of the same names: for type checkers, for readers, and where each is at run time. A test holds them equal.
__all__ = [
    "AdminCalls",
    "AlarmThread",
    "AlreadyConnected",
    "AlreadyExists",
    "AsyncAdminCalls",
    "AsyncAuthClient",
    "AsyncGuestCalls",
    "AsyncTokenAuthInterceptor",
    "AsyncTokenManager",
    "AsyncTokenVerifier",
    "AsyncTrustCalls",
    "AsyncUserClient",
    "AuthClient",
    "AuthClientError",
    "CheckedToken",
    "Conflict",
    "DeadlineExceeded",
    "EndUser",
    "Exhausted",
    "Failure",
    "GuestCalls",
    "Internal",
    "InvalidRequest",
    "LogOptions",
    "MethodUnknown",
    "NoToken",
    "NoUser",
    "NotFound",
    "Pace",
    "PermissionDenied",
    "Placement",
    "PreconditionFailed",
    "ProviderFailed",
    "RefreshRefused",
    "Retries",
    "Rule",
    "SavedSession",
    "SignInRequired",
    "TlsFiles",
    "TlsUnusable",
    "TokenAuthInterceptor",
    "TokenError",
    "TokenExpired",
    "TokenInvalid",
    "TokenManager",
    "TokenNotActive",
    "TokenProvider",
    "TokenRefused",
    "TokenTimeout",
    "TokenVerifier",
    "TrustCalls",
    "TrustStale",
    "Unauthenticated",
    "Unavailable",
    "UserChanged",
    "UserClient",
    "UserTokenInterceptor",
    "Violation",
    "WrongUser",
    "current_token",
    "item_error",
    "user_token_interceptors",
]

_MODULES = {
    "admin": ("AdminCalls", "AsyncAdminCalls"),
    "auth": ("AsyncAuthClient", "AuthClient"),
    "errors": (
        "AlreadyExists", "AuthClientError", "Conflict", "DeadlineExceeded", "Exhausted", "Failure", "Internal",
        "InvalidRequest", "MethodUnknown", "NotFound", "PermissionDenied", "PreconditionFailed", "RefreshRefused",
        "Unauthenticated", "Unavailable", "Violation",
    ),
    "guest": ("AsyncGuestCalls", "GuestCalls"),
    "logs": ("LogOptions",),
    "retries": ("Retries",),
    "status": ("item_error",),
    "tls": ("TlsFiles", "TlsUnusable"),
    "trust": ("AsyncTrustCalls", "TrustCalls"),
    "attaching.details": ("NoToken", "Placement"),
    "attaching.interceptor": ("UserTokenInterceptor",),
    "attaching.interceptor_aio": ("user_token_interceptors",),
    "guarding.current": ("current_token",),
    "guarding.interceptor": ("TokenAuthInterceptor",),
    "guarding.interceptor_aio": ("AsyncTokenAuthInterceptor",),
    "guarding.rules": ("Rule",),
    "tokens.faults": (
        "NoUser", "ProviderFailed", "SignInRequired", "TokenError", "TokenExpired", "TokenInvalid",
        "TokenRefused", "TokenTimeout", "UserChanged", "WrongUser",
    ),
    "tokens.manager": ("TokenManager",),
    "tokens.manager_aio": ("AsyncTokenManager",),
    "tokens.pace": ("Pace",),
    "tokens.providers": ("TokenProvider",),
    "tokens.sessions": ("SavedSession",),
    "user.client": ("UserClient",),
    "user.client_aio": ("AsyncUserClient",),
    "user.connecting": ("AlreadyConnected",),
    "user.people": ("EndUser",),
    "tokens.alarms": ("AlarmThread",),
    "verifier.checked": ("CheckedToken", "TokenNotActive", "TrustStale"),
    "verifier.verifier": ("TokenVerifier",),
    "verifier.verifier_aio": ("AsyncTokenVerifier",),
}  # fmt: skip
_HOMES = {name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names}

# Hidden from type checkers, which would take every misspelt name for one that is found here.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(_HOMES[name]), name)
        globals()[name] = found  # asked once
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
