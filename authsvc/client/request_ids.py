"""Request ids: what tells a retry from a second request, so that a lost reply harms nobody."""

from __future__ import annotations

from typing import TypeVar

from authsvc.clock import Randomness
from authsvc.signing import base64url
from authsvc.v1.auth_pb2 import BatchIssueTokensRequest, IssueTokenRequest, RefreshTokenRequest
from authsvc.v1.guest_pb2 import IssueGuestTokenRequest, RefreshGuestTokenRequest

Named = TypeVar("Named", IssueTokenRequest, RefreshTokenRequest, IssueGuestTokenRequest, RefreshGuestTokenRequest)


def new_request_id(randomness: Randomness) -> str:
    """22 characters of base64url that carry 128 random bits."""
    return base64url.encode(randomness(16))


def with_request_id(request: Named, randomness: Randomness) -> Named:
    """The request, named. One without a name is copied: the caller may send the same object again and mean two."""
    if request.request_id:
        return request
    named = type(request)()
    named.CopyFrom(request)
    named.request_id = new_request_id(randomness)
    return named


def with_request_ids(batch: BatchIssueTokensRequest, randomness: Randomness) -> BatchIssueTokensRequest:
    """A copy of the batch whose every item is named."""
    named = BatchIssueTokensRequest()
    named.CopyFrom(batch)
    for item in named.requests:
        item.request_id = item.request_id or new_request_id(randomness)
    return named
