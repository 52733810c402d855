"""What the two user clients can do for the proof of a connection."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from inspect import isawaitable
from typing import TYPE_CHECKING

from authsvc.client.auth import AsyncAuthClient, AuthClient
from authsvc.client.tokens.manager import TokenManager
from authsvc.client.tokens.manager_aio import AsyncTokenManager
from authsvc.client.user.connecting import Attempts, OnConnectUserError
from authsvc.client.user.connection import Connection, disconnected
from authsvc.v1.auth_pb2 import ValidateTokenRequest, ValidateTokenResponse

if TYPE_CHECKING:
    from authsvc.logs import Logger


@dataclass(frozen=True, slots=True)
class WaitingHands:
    """Of a client whose callers wait; ``gone`` is set when the user is disconnected."""

    tokens: TokenManager
    client: AuthClient
    gone: threading.Event
    on_error: OnConnectUserError | None
    log: Logger

    def validate(self, request: ValidateTokenRequest) -> ValidateTokenResponse:
        """Ask the service about a token."""
        return self.client.validate_token(request)

    def pause(self, seconds: float) -> None:
        """Wait, unless the user is disconnected meanwhile."""
        if self.gone.wait(seconds):
            raise disconnected()

    def tell(self, attempts: Attempts) -> None:
        """Say that connecting was given up."""
        if self.on_error is None:
            return
        try:
            self.on_error(attempts.errors[-1], tuple(attempts.errors))
        except Exception as fault:  # noqa: BLE001 - the caller is to hear why connecting failed
            self.log.error("on_connect_user_error failed", exception=fault)


@dataclass(frozen=True, slots=True)
class AwaitingHands:
    """Of a client whose callers await."""

    tokens: AsyncTokenManager
    client: AsyncAuthClient
    connection: Connection
    on_error: OnConnectUserError | None
    log: Logger

    async def validate(self, request: ValidateTokenRequest) -> ValidateTokenResponse:
        """Ask the service about a token."""
        return await self.client.validate_token(request)

    async def pause(self, seconds: float) -> None:
        """Wait, unless the user is disconnected meanwhile."""
        await asyncio.wait([self.connection.outcome], timeout=seconds)
        if self.connection.outcome.done():
            raise disconnected()

    async def tell(self, attempts: Attempts) -> None:
        if self.on_error is None:
            return
        try:
            told = self.on_error(attempts.errors[-1], tuple(attempts.errors))
            if isawaitable(told):
                await told
        except Exception as fault:  # noqa: BLE001 - the caller is to hear why connecting failed
            self.log.error("on_connect_user_error failed", exception=fault)
