"""``GuestService``: decode, call, encode. All its methods are open."""

from __future__ import annotations

from authsvc.rpc import convert_guest as convert
from authsvc.rpc.call import Call
from authsvc.tokens.guest import GuestTokens
from authsvc.v1 import guest_pb2 as pb


class GuestServicer:
    """Each method is served by one method of the use case."""

    def __init__(self, guests: GuestTokens) -> None:
        self._guests = guests

    def IssueGuestToken(self, request: pb.IssueGuestTokenRequest, call: Call) -> pb.IssueGuestTokenResponse:
        """Open."""
        call.about(request.api_key)
        issued = self._guests.issue(convert.guest_wish(request), call.address, deadline=call.deadline)
        return convert.guest_response(issued)

    def RefreshGuestToken(self, request: pb.RefreshGuestTokenRequest, call: Call) -> pb.RefreshGuestTokenResponse:
        """Open."""
        refreshed = self._guests.refresh(
            request.refresh_token, request.request_id, call.address, deadline=call.deadline
        )
        call.about(refreshed.minted.token.api_key)
        return convert.refresh_response(refreshed)

    def IssueAnonymousToken(self, request: pb.IssueAnonymousTokenRequest, call: Call) -> pb.IssueAnonymousTokenResponse:
        """Open."""
        call.about(request.api_key)
        issued = self._guests.issue_anonymous(convert.anonymous_wish(request), call.address, deadline=call.deadline)
        return convert.anonymous_response(issued)
