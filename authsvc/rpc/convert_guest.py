"""Between messages and values, for guests and anonymous visitors without a service credential."""

from __future__ import annotations

from authsvc.rpc import convert
from authsvc.tokens.guest import AnonymousWish, GuestWish
from authsvc.tokens.issue import IssuedToken
from authsvc.tokens.refresh import RefreshedToken
from authsvc.v1 import auth_pb2
from authsvc.v1 import guest_pb2 as pb


def guest_wish(message: pb.IssueGuestTokenRequest) -> GuestWish:
    """Decode."""
    return GuestWish(
        api_key=message.api_key,
        guest=convert.guest_subject(message.guest),
        refreshable=message.refreshable,
        request_id=message.request_id,
    )


def anonymous_wish(message: pb.IssueAnonymousTokenRequest) -> AnonymousWish:
    """Decode."""
    return AnonymousWish(
        api_key=message.api_key,
        scope=convert.scope_request(message.scope) if message.HasField("scope") else None,
    )


def guest_response(issued: IssuedToken) -> pb.IssueGuestTokenResponse:
    """Encode."""
    response = pb.IssueGuestTokenResponse(token=issued.minted.text, refresh_token=issued.refresh_token)
    convert.fill_token_info(response.info, issued.minted.token)
    if issued.refresh_expires_at is not None:
        convert.set_moment(response.refresh_expires_at, issued.refresh_expires_at)
    return response


def refresh_response(refreshed: RefreshedToken) -> pb.RefreshGuestTokenResponse:
    """Encode."""
    outcome = auth_pb2.REFRESH_OUTCOME_ROTATED if refreshed.rotated else auth_pb2.REFRESH_OUTCOME_REPLAYED
    response = pb.RefreshGuestTokenResponse(
        token=refreshed.minted.text, refresh_token=refreshed.refresh_token, outcome=outcome
    )
    convert.fill_token_info(response.info, refreshed.minted.token)
    convert.set_moment(response.refresh_expires_at, refreshed.refresh_expires_at)
    return response


def anonymous_response(issued: IssuedToken) -> pb.IssueAnonymousTokenResponse:
    """Encode."""
    response = pb.IssueAnonymousTokenResponse(token=issued.minted.text)
    convert.fill_token_info(response.info, issued.minted.token)
    return response
