"""``AuthClient.guests``: the calls of a front end, which need no service credential."""

from __future__ import annotations

from datetime import timedelta

import grpc

from authsvc.client.calls import Calls
from authsvc.client.request_ids import with_request_id
from authsvc.clock import Randomness
from authsvc.v1.guest_pb2 import (
    IssueAnonymousTokenRequest,
    IssueAnonymousTokenResponse,
    IssueGuestTokenRequest,
    IssueGuestTokenResponse,
    RefreshGuestTokenRequest,
    RefreshGuestTokenResponse,
)
from authsvc.v1.guest_pb2_grpc import GuestServiceStub


class GuestCalls:
    """Each call goes without a credential, even where the client has one, and raises ``AuthClientError``.

    ``Exhausted`` is to be expected: an address may make ten calls at once, then one each six seconds.
    """

    def __init__(self, channel: grpc.Channel, calls: Calls, randomness: Randomness) -> None:
        self._stub = GuestServiceStub(channel)
        self._calls = calls
        self._randomness = randomness

    def issue_guest_token(
        self, request: IssueGuestTokenRequest, *, timeout: timedelta | None = None
    ) -> IssueGuestTokenResponse:
        """Become a guest of an app. Without a ``request_id`` one is made, so that a lost reply is asked for again."""
        return self._calls.repeatable(self._stub.IssueGuestToken, with_request_id(request, self._randomness), timeout)

    def refresh_guest_token(
        self, request: RefreshGuestTokenRequest, *, timeout: timedelta | None = None
    ) -> RefreshGuestTokenResponse:
        """Turn a guest's refresh token into the next pair of tokens. Raises ``RefreshRefused`` when it has ended."""
        return self._calls.repeatable(self._stub.RefreshGuestToken, with_request_id(request, self._randomness), timeout)

    def issue_anonymous_token(
        self, request: IssueAnonymousTokenRequest, *, timeout: timedelta | None = None
    ) -> IssueAnonymousTokenResponse:
        """Watch calls and channels that an app opens to everyone."""
        return self._calls.repeatable(self._stub.IssueAnonymousToken, request, timeout)
