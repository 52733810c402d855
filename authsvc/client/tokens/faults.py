"""Why there is no token to speak for a user with: a branch of the client's tree of errors."""

from __future__ import annotations

from copy import copy
from typing import ClassVar, Self, TypeVar

from authsvc.client.errors import (
    AuthClientError,
    DeadlineExceeded,
    Exhausted,
    Failure,
    Internal,
    Unavailable,
)
from authsvc.client.homes import Unusable

ErrorType = TypeVar("ErrorType", bound=BaseException)


class TokenError(AuthClientError):
    """There is no token to speak for the user with. ``code`` is what a call that needed one would have ended with."""

    _code: ClassVar[str] = "UNAUTHENTICATED"
    _reason: ClassVar[str] = "TOKEN_MISSING"

    @classmethod
    def saying(cls, message: str) -> Self:
        """This error with that message."""
        return cls(Failure(code=cls._code, reason=cls._reason, message=message))


class NoUser(TokenError):
    """Nobody is connected."""

    _reason = "NO_USER"


class TokenInvalid(TokenError):
    """What was given is not the access token of a user."""

    _reason = "TOKEN_INVALID"


class WrongUser(TokenError):
    """A token of another user was given; it is never used."""

    _reason = "TOKEN_OF_ANOTHER_USER"


class TokenExpired(TokenError):
    """The token has expired and nobody can be asked for the next, or the one who was asked gave the same again."""

    _reason = "TOKEN_EXPIRED"


class TokenRefused(TokenError):
    """The service does not accept the token: another of the same origin would share the reason, or there is none."""

    _reason = "TOKEN_REFUSED"


class SignInRequired(TokenError):
    """For token providers to raise: there will be no token until the user has signed in again."""

    _reason = "SIGN_IN_REQUIRED"


class ProviderFailed(TokenError):
    """The token provider failed as often as it is asked; its last error is the ``__cause__``. A repeat may succeed."""

    _code = "UNAVAILABLE"
    _reason = "TOKEN_PROVIDER_FAILED"


class TokenTimeout(TokenError):
    """The token did not come in the time there was; it may yet come for later calls.

    What the token provider failed with meanwhile, if it did, is the ``__cause__``.
    """

    _code = "DEADLINE_EXCEEDED"
    _reason = "TOKEN_TIMEOUT"


class UserChanged(TokenError):
    """The user was disconnected, or another one connected, while this call waited for a token."""

    _code = "CANCELLED"
    _reason = "USER_CHANGED"


_PASSING = (Unavailable, DeadlineExceeded, Exhausted, Internal, ProviderFailed, TokenTimeout)


def is_transient(error: BaseException) -> bool:
    """Whether asking again may help: so with all that a provider of one's own may raise, and with no refusal."""
    if isinstance(error, _PASSING):
        return True
    if isinstance(error, Unusable):
        return False
    # The class itself stands for statuses that have no class: CANCELLED, UNKNOWN, as a proxy gives them.
    return type(error) is AuthClientError or not isinstance(error, AuthClientError)


def too_late(what: str, trouble: BaseException | None) -> TokenTimeout:
    """That the time is over; ``trouble`` is the last error of those that took it."""
    said = what if trouble is None else f"{what}; last, {type(trouble).__name__} was raised"
    told = TokenTimeout.saying(said)
    told.__cause__ = trouble
    return told


def again(error: ErrorType) -> ErrorType:
    """The error for one more who is told it: raised itself, it would collect the frames of all of them."""
    if not isinstance(error, AuthClientError):  # not every class of a program can be copied
        return error
    told = copy(error)
    told.__cause__ = error.__cause__
    return told
