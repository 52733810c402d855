"""What a caller may revoke, as values: decoded but not judged. What is a secret does not print and is not pickled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

from authsvc.tokens.requests import Seconds


@dataclass(frozen=True, slots=True)
class UserTarget:
    """Every token and session of a user."""

    user_id: str


@dataclass(frozen=True, slots=True)
class SessionTarget:
    """One session and its access tokens."""

    session_id: str


@dataclass(frozen=True, slots=True)
class TokenTarget:
    """One access token, by its text."""

    token: str = field(repr=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not pickled")


@dataclass(frozen=True, slots=True)
class TokenIdTarget:
    """One access token, by its jti."""

    token_id: str


@dataclass(frozen=True, slots=True)
class RefreshTokenTarget:
    """The session of a refresh token."""

    refresh_token: str = field(repr=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not pickled")


@dataclass(frozen=True, slots=True)
class AllUsersTarget:
    """Every token and session of the app; False is what a caller sends by mistake."""

    value: bool


Target = UserTarget | SessionTarget | TokenTarget | TokenIdTarget | RefreshTokenTarget | AllUsersTarget


@dataclass(frozen=True, slots=True)
class RevokeRequest:
    """A wish to end tokens. ``issued_before`` None: everything up to this revocation."""

    api_key: str = ""
    target: Target | None = None
    issued_before: Seconds | None = None
