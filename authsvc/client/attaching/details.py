"""The details of one call, with the user's token among its metadata, and the time that all its attempts have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, Protocol, TypeAlias

import grpc

from authsvc.client.errors import AuthClientError
from authsvc.client.tokens.faults import TokenError, is_transient
from authsvc.client.tokens.manager import PATIENCE
from authsvc.clock import Deadline, deadline_after, seconds_left
from authsvc.model import TokenStatus


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the token goes: ``authorization: Bearer <token>``, unless the peer wants it otherwise."""

    header: str = "authorization"
    scheme: str = "Bearer"

    def __post_init__(self) -> None:
        if not self.header or self.header != self.header.lower() or self.header.endswith("-bin"):
            raise ValueError("a header is a name in lower case, not of a binary value")

    def value(self, token: str) -> str:
        """The header's value."""
        return f"{self.scheme} {token}" if self.scheme else token


PLACEMENT = Placement()


def checked_placement(placement: Any) -> Placement:
    """The same; raises ``ValueError`` for what is none, which a call would be the first to notice."""
    if not isinstance(placement, Placement):
        raise ValueError(f"placement is a Placement(header, scheme), not {placement!r}")
    return placement


class Tokens(Protocol):
    """Has the user's token: a ``TokenManager``, or the ``UserClient`` of a connected user."""

    def token(self, *, timeout: timedelta) -> str:
        """A token to use now."""
        ...

    def renewed(self, refused: str, status: TokenStatus, *, timeout: timedelta) -> str:
        """A token to use instead of one that was refused."""
        ...


class AwaitedTokens(Protocol):
    """The same for callers that await."""

    async def token(self, *, timeout: timedelta) -> str:
        """A token to use now."""
        ...

    async def renewed(self, refused: str, status: TokenStatus, *, timeout: timedelta) -> str:
        """A token to use instead of one that was refused."""
        ...


AsMetadata: TypeAlias = Callable[[Sequence[tuple[str, Any]]], Any]
"""Makes of pairs what a channel takes as metadata."""


class Details(NamedTuple):
    """What a continuation of either kind takes."""

    method: Any
    timeout: float | None
    metadata: Any
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class CallDetails(Details, grpc.ClientCallDetails):
    """The same, by the name under which gRPC knows it."""


class Course:
    """One call: what is the same for each of its attempts, and until when."""

    def __init__(self, details: Any, placement: Placement, as_metadata: AsMetadata = tuple) -> None:
        self._details = details
        self._placement = placement
        self._as_metadata = as_metadata
        timeout: float | None = details.timeout
        self._deadline: Deadline | None = None if timeout is None else deadline_after(timeout)

    @property
    def has_its_own(self) -> bool:
        """Whether the caller has put something there itself, which is left alone."""
        return any(key.lower() == self._placement.header for key, _ in self._metadata())

    @property
    def patience(self) -> timedelta:
        """How long to wait for a token."""
        if self._deadline is None:
            return PATIENCE
        return timedelta(seconds=max(seconds_left(self._deadline), 0))

    @property
    def is_over(self) -> bool:
        """Whether no time is left for another attempt."""
        return self._deadline is not None and seconds_left(self._deadline) <= 0

    def with_token(self, token: str) -> CallDetails:
        """The details of an attempt with that token, in the time that is left."""
        sent = (*self._metadata(), (self._placement.header, self._placement.value(token)))
        return CallDetails(
            method=self._details.method,
            timeout=None if self._deadline is None else max(seconds_left(self._deadline), 0),
            metadata=self._as_metadata(sent),
            credentials=self._details.credentials,
            wait_for_ready=self._details.wait_for_ready,
            compression=getattr(self._details, "compression", None),
        )

    def _metadata(self) -> Sequence[tuple[str, Any]]:
        return tuple(self._details.metadata or ())


class NoToken(grpc.RpcError):
    """A call that was not made, because there was no token to make it with: the ``TokenError`` is its ``__cause__``.

    It has what callers look at in the errors of gRPC: ``code``, ``details`` and empty metadata.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self._code = code_of(error)

    def code(self) -> grpc.StatusCode:
        """The cause's own where that may pass, as UNAVAILABLE; else UNAUTHENTICATED."""
        return self._code

    def details(self) -> str:
        """Why."""
        return str(self)

    def initial_metadata(self) -> tuple[()]:
        """None came."""
        return ()

    def trailing_metadata(self) -> tuple[()]:
        """None came."""
        return ()


def code_of(error: Exception) -> grpc.StatusCode:
    """What a call ends with that needed a token and got this error: its code, where it is about the token or may pass.
    What a refusal by the service ends with would be taken for the peer's word."""
    if isinstance(error, AuthClientError) and (isinstance(error, TokenError) or is_transient(error)):
        return grpc.StatusCode[error.code]
    return grpc.StatusCode.UNAUTHENTICATED
