"""``AuthClient.guests``: the calls of a front end, which need no service credential."""

from __future__ import annotations

from authsvc.client.methods import Awaiting, Unary, Waiting
from authsvc.client.request_ids import with_request_id
from authsvc.v1 import guest_pb2 as v1
from authsvc.v1.guest_pb2_grpc import GuestServiceStub


class GuestMethods:
    """The methods of GuestService. Each call goes without a credential, even where the client has one.

    ``Exhausted`` is to be expected: an address may make ten calls at once, then one each six seconds.
    """

    issue_guest_token = Unary[v1.IssueGuestTokenRequest, v1.IssueGuestTokenResponse](
        GuestServiceStub, "IssueGuestToken", repeats=True, named=with_request_id
    )
    """Become a guest of an app. Without a ``request_id`` one is made, so that a lost reply is asked for again."""

    refresh_guest_token = Unary[v1.RefreshGuestTokenRequest, v1.RefreshGuestTokenResponse](
        GuestServiceStub, "RefreshGuestToken", repeats=True, named=with_request_id
    )
    """Turn a guest's refresh token into the next pair of tokens. Raises ``RefreshRefused`` when it has ended."""

    issue_anonymous_token = Unary[v1.IssueAnonymousTokenRequest, v1.IssueAnonymousTokenResponse](
        GuestServiceStub, "IssueAnonymousToken", repeats=True
    )
    """Watch calls and channels that an app opens to everyone."""


class GuestCalls(GuestMethods, Waiting):
    """The methods of GuestService, one each; they raise ``AuthClientError``."""


class AsyncGuestCalls(GuestMethods, Awaiting):
    """The methods of GuestService, awaited."""
