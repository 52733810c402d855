"""A caller with several connections to one server: what the races are driven through, and nothing but the wire."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from authsvc.v1 import auth_pb2, auth_pb2_grpc

TIMEOUT = 30.0
CONNECTIONS = 4
ROTATED, REPLAYED = "ROTATED", "REPLAYED"
RENEWED = (ROTATED, REPLAYED)


@dataclass(frozen=True)
class Refreshed:
    """How a refresh ended: ``outcome`` is ROTATED, REPLAYED or the reason of a refusal (with the texts empty)."""

    outcome: str
    child: str = field(default="", repr=False)
    access: str = field(default="", repr=False)


class Wire:
    """Calls in turn over its connections. Safe to use from many threads."""

    def __init__(self, target: str, credential: str, *, api_key: str = "dev") -> None:
        own = [("grpc.use_local_subchannel_pool", 1)]  # else all channels of a process share one connection
        self._channels = [grpc.insecure_channel(target, options=own) for _ in range(CONNECTIONS)]
        self._stubs = itertools.cycle([auth_pb2_grpc.AuthServiceStub(channel) for channel in self._channels])
        self._api_key = api_key
        self._metadata = (("authorization", f"Bearer {credential}"),)

    def close(self) -> None:
        """Hang up."""
        for channel in self._channels:
            channel.close()

    def issue(self, user: str = "sara", *, request_id: str = "") -> auth_pb2.IssueTokenResponse:
        """A token with a session."""
        return next(self._stubs).IssueToken(self._issue(user, request_id), metadata=self._metadata, timeout=TIMEOUT)

    def issue_together(self, count: int, user: str = "sara", *, request_id: str) -> list[auth_pb2.IssueTokenResponse]:
        """As many calls at once, all with one request id."""
        request = self._issue(user, request_id)
        calls = [
            next(self._stubs).IssueToken.future(request, metadata=self._metadata, timeout=TIMEOUT) for _ in range(count)
        ]
        return [call.result() for call in calls]

    def refresh(self, token: str, *, request_id: str = "") -> Refreshed:
        """Present a refresh token; raises ``grpc.RpcError`` only where the server was not reached."""
        (answer,) = self.refresh_together(token, [request_id])
        return answer

    def refresh_together(self, token: str, request_ids: Sequence[str]) -> list[Refreshed]:
        """Present one refresh token as often as there are request ids, all at once."""
        calls = [
            next(self._stubs).RefreshToken.future(
                auth_pb2.RefreshTokenRequest(refresh_token=token, request_id=request_id),
                metadata=self._metadata,
                timeout=TIMEOUT,
            )
            for request_id in request_ids
        ]
        return [_refreshed(call) for call in calls]

    def revoke(self, **target: Any) -> int:
        """End a target; returns the revision from which on it has ended."""
        request = auth_pb2.RevokeTokensRequest(api_key=self._api_key, **target)
        return next(self._stubs).RevokeTokens(request, metadata=self._metadata, timeout=TIMEOUT).revision

    def status(self, access: str) -> str:
        """What ValidateToken says of an access token."""
        request = auth_pb2.ValidateTokenRequest(api_key=self._api_key, token=access)
        answer = next(self._stubs).ValidateToken(request, metadata=self._metadata, timeout=TIMEOUT)
        return auth_pb2.TokenStatus.Name(answer.status).removeprefix("TOKEN_STATUS_")

    def _issue(self, user: str, request_id: str) -> auth_pb2.IssueTokenRequest:
        return auth_pb2.IssueTokenRequest(
            api_key=self._api_key, user=auth_pb2.User(id=user), refreshable=True, request_id=request_id
        )


@contextmanager
def connected(target: str, credential: str, *, api_key: str = "dev") -> Iterator[Wire]:
    """A caller that hangs up afterwards."""
    with closing(Wire(target, credential, api_key=api_key)) as wire:
        yield wire


def new_request_id() -> str:
    """128 random bits, as text."""
    return secrets.token_urlsafe(16)


def _refreshed(call: Any) -> Refreshed:
    error = call.exception()
    if error is None:
        answer = call.result()
        outcome = auth_pb2.RefreshOutcome.Name(answer.outcome).removeprefix("REFRESH_OUTCOME_")
        return Refreshed(outcome, answer.refresh_token, answer.token)
    if call.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED):
        raise error
    return Refreshed((call.details() or "").partition(":")[0])
