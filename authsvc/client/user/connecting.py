"""The rules of connecting a user: what is checked, what is tried again, and how soon."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeAlias

from authsvc.client.errors import AuthClientError
from authsvc.client.tokens import faults
from authsvc.client.tokens.access_token import AccessToken, read_access_token
from authsvc.client.tokens.pace import Pace
from authsvc.client.tokens.renewal import RENEWED_ON, Moment, check_usable
from authsvc.clock import Randomness
from authsvc.model import TokenStatus
from authsvc.v1 import auth_pb2

RETRIES = 5
OnConnectUserError: TypeAlias = Callable[[Exception, Sequence[Exception]], Any]
"""Told once, when connecting was given up: of the last error, and of all of them in their order."""


class AlreadyConnected(faults.TokenError):
    """Another user is connected: disconnect that one first."""

    _code = "FAILED_PRECONDITION"
    _reason = "ANOTHER_USER_CONNECTED"


@dataclass
class Attempts:
    """The attempts to connect one user: at most ``retries`` after the first, of what may pass.

    Raises ``ValueError`` for fewer than none.
    """

    retries: int
    pace: Pace
    randomness: Randomness
    errors: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.retries < 0:
            raise ValueError("max_connect_user_retries is 0 or more")

    def failed(self, error: Exception) -> float | None:
        """Seconds until the next attempt; None: there is none."""
        self.errors.append(error)
        if len(self.errors) > self.retries or not faults.is_transient(error):
            return None
        pause = self.pace.pause(len(self.errors), int.from_bytes(self.randomness(4), "big") / 2**32)
        told = error.retry_after if isinstance(error, AuthClientError) else None
        return pause + (told or timedelta(0)).total_seconds()


def check_locally(text: str, user_id: str | None, now: Moment) -> AccessToken:
    """What can be seen without a key: whose token it is, and whether its time is over by this machine's clock."""
    token = read_access_token(text)
    check_usable(token, user_id, now)
    return token


def question(api_key: str, token: AccessToken) -> auth_pb2.ValidateTokenRequest:
    """Whether the service takes the token, asked with something that its scope and audience allow."""
    request = auth_pb2.ValidateTokenRequest(api_key=api_key, token=token.text)
    if token.call_cids:
        request.call_cid = token.call_cids[0]
    elif token.channel_cids:
        request.channel_cid = token.channel_cids[0]
    if token.audience and api_key not in token.audience:
        request.audience = token.audience[0]
    return request


def refusal(answer: auth_pb2.ValidateTokenResponse) -> TokenStatus | None:
    """The verdict that another token helps against; None: the token is good. Raises ``TokenRefused`` for others."""
    if answer.active:
        return None
    name = auth_pb2.TokenStatus.Name(answer.status).removeprefix("TOKEN_STATUS_")
    status = TokenStatus(name)
    if status in RENEWED_ON:
        return status
    raise faults.TokenRefused.saying(f"the service answers {status}: {answer.message}")
