"""``AuthClient``: the calls of a backend that mints, renews and checks the tokens of its users."""

from __future__ import annotations

from datetime import timedelta
from types import TracebackType
from typing import Self

import grpc

from authsvc.client.admin import AdminCalls
from authsvc.client.calls import Calls
from authsvc.client.channel import ChannelOptions, open_channel
from authsvc.client.credential import Bearer
from authsvc.client.guest import GuestCalls
from authsvc.client.request_ids import with_request_id, with_request_ids
from authsvc.client.retries import Retries
from authsvc.clock import Randomness, system_randomness
from authsvc.logs import SecretText
from authsvc.v1.auth_pb2 import (
    BatchIssueTokensRequest,
    BatchIssueTokensResponse,
    BatchValidateTokensRequest,
    BatchValidateTokensResponse,
    IssueTokenRequest,
    IssueTokenResponse,
    RefreshTokenRequest,
    RefreshTokenResponse,
    ValidateTokenRequest,
    ValidateTokenResponse,
)
from authsvc.v1.auth_pb2_grpc import AuthServiceStub

TIMEOUT = timedelta(seconds=5)
RETRIES = Retries()


class AuthClient:
    """A connection to the service at ``target``, for any number of threads; close it, or use it as a context manager.

    ``credential`` is this backend's service credential (``ask1_…``). A target on loopback is spoken to in plaintext,
    any other by TLS: ``tls`` is ``grpc.ssl_channel_credentials(roots, key, certificate)`` for roots of your own or
    mutual TLS, ``allow_plaintext`` gives the protection of credential and tokens up.

    Each call ends within ``timeout`` (a call's own wins), repeats included. Calls that are safe to repeat are repeated
    while the service is unavailable. All raise ``AuthClientError``; after ``close``, ``ValueError``.
    """

    def __init__(
        self,
        target: str,
        credential: str | SecretText | None = None,
        *,
        timeout: timedelta = TIMEOUT,
        tls: grpc.ChannelCredentials | None = None,
        allow_plaintext: bool = False,
        options: ChannelOptions = (),
        retries: Retries = RETRIES,
        randomness: Randomness = system_randomness,
    ) -> None:
        self._calls = Calls(Bearer(credential), timeout=timeout, retries=retries)
        self._target = target
        self._randomness = randomness
        self._channel = open_channel(target, tls=tls, allow_plaintext=allow_plaintext, options=options)
        self._stub = AuthServiceStub(self._channel)
        self.admin = AdminCalls(self._channel, self._calls)
        nobody = Calls(Bearer(None), timeout=timeout, retries=retries)
        self.guests = GuestCalls(self._channel, nobody, randomness)

    def issue_token(self, request: IssueTokenRequest, *, timeout: timedelta | None = None) -> IssueTokenResponse:
        """Mint an access token.

        Without a ``request_id`` one is made, so that a lost reply is asked for again. Give and keep your own to repeat
        the request later, after a crash say.
        """
        return self._calls.repeatable(self._stub.IssueToken, with_request_id(request, self._randomness), timeout)

    def refresh_token(self, request: RefreshTokenRequest, *, timeout: timedelta | None = None) -> RefreshTokenResponse:
        """Turn a refresh token into the next pair of tokens. Without a ``request_id`` one is made, as for issuing.

        Raises ``RefreshRefused`` when the user has to sign in again.
        """
        return self._calls.repeatable(self._stub.RefreshToken, with_request_id(request, self._randomness), timeout)

    def validate_token(
        self, request: ValidateTokenRequest, *, timeout: timedelta | None = None
    ) -> ValidateTokenResponse:
        """Ask whether an access token is good now: look at ``active`` first. A bad token is an answer, not an error."""
        return self._calls.repeatable(self._stub.ValidateToken, request, timeout)

    def batch_issue_tokens(
        self, batch: BatchIssueTokensRequest, *, timeout: timedelta | None = None
    ) -> BatchIssueTokensResponse:
        """Mint up to 256 tokens; an item without a ``request_id`` gets one.

        A result holds the ``response``, or the ``status`` that ``item_error`` turns into the error of that item.
        """
        named = with_request_ids(batch, self._randomness)
        return self._calls.repeatable(self._stub.BatchIssueTokens, named, timeout)

    def batch_validate_tokens(
        self, batch: BatchValidateTokensRequest, *, timeout: timedelta | None = None
    ) -> BatchValidateTokensResponse:
        """Ask about up to 256 access tokens; results as for ``batch_issue_tokens``, a bad token is a ``response``."""
        return self._calls.repeatable(self._stub.BatchValidateTokens, batch, timeout)

    def close(self) -> None:
        """Give the connection up; calls in flight end with CANCELLED."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"AuthClient({self._target!r})"
