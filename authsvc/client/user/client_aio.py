"""``AsyncUserClient``: speaks for one end user, for any number of tasks of one event loop."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar, Self

import grpc.aio

from authsvc.client.attaching.interceptor_aio import user_token_interceptors
from authsvc.client.auth import AsyncAuthClient
from authsvc.client.channel import Tls
from authsvc.client.homes import HomeLoop
from authsvc.client.logs import LogOptions, make_client_logs
from authsvc.client.spans import span
from authsvc.client.tokens import faults
from authsvc.client.tokens.beside import loop_alarm, others_end
from authsvc.client.tokens.keeper import OnTokenUpdated
from authsvc.client.tokens.manager import PACE, PATIENCE
from authsvc.client.tokens.manager_aio import AsyncTokenManager
from authsvc.client.tokens.pace import Pace
from authsvc.client.tokens.providers import TokenOrProvider, TokenProvider
from authsvc.client.tokens.source import TokenFunction
from authsvc.client.user.connecting import RETRIES, Attempts, OnConnectUserError
from authsvc.client.user.connection import (
    Begun,
    Connection,
    disconnected,
    is_front_end,
    nobody,
    provider_for,
    shared_client_knows,
    target_of,
    warn_of_others,
)
from authsvc.client.user.hands import AwaitingHands
from authsvc.client.user.instances import Instances
from authsvc.client.user.people import EndUser, as_user
from authsvc.client.user.proving import Proof, run_later
from authsvc.clock import Clock, Monotonic, Randomness, system_clock, system_monotonic, system_randomness
from authsvc.logs import Alarm, LoggerSystem, SecretText
from authsvc.model import TokenStatus


class AsyncUserClient:
    """As ``UserClient``, for callers that await. One that connects at once is made where a loop runs; it is used from
    that loop, or from that of its first use, and raises ``RuntimeError`` in another.

    ``client`` may be an ``AsyncAuthClient`` to share. ``token_provider``, ``on_token_updated`` and
    ``on_connect_user_error`` may be functions of either kind.
    """

    _instances: ClassVar[Instances[AsyncUserClient]] = Instances()

    def __init__(
        self,
        target: str,
        api_key: str,
        user: EndUser | str | None = None,
        *,
        token: TokenOrProvider | None = None,
        token_provider: TokenFunction | TokenProvider | None = None,
        credential: str | SecretText | None = None,
        client: AsyncAuthClient | None = None,
        as_front_end: bool | None = None,
        auto_connect: bool = True,
        max_connect_user_retries: int = RETRIES,
        on_connect_user_error: OnConnectUserError | None = None,
        on_token_updated: OnTokenUpdated | None = None,
        pace: Pace = PACE,
        tls: Tls | None = None,
        allow_plaintext: bool = False,
        log_options: LogOptions | LoggerSystem | None = None,
        alarm: Alarm = loop_alarm,
        clock: Clock = system_clock,
        monotonic: Monotonic = system_monotonic,
        randomness: Randomness = system_randomness,
    ) -> None:
        Attempts(max_connect_user_retries, pace, randomness)  # what means nothing is said now, not when it is used
        wanted = None if user is None else as_user(user)
        if wanted is not None and auto_connect:
            provider_for(wanted, token, token_provider)
        self.logs = client.logs if client is not None and log_options is None else make_client_logs(log_options)
        self._log = self.logs.get_logger("client.user")
        self._target, self._api_key = target, api_key
        self._own = None
        if client is None:
            client = self._own = AsyncAuthClient(
                target, credential, tls=tls, allow_plaintext=allow_plaintext, log_options=self.logs
            )
        else:
            shared_client_knows(client, target, credential=credential, tls=tls, allow_plaintext=allow_plaintext)
        as_front_end = is_front_end(client, as_front_end, credential=credential, tls=tls)
        self._client = client
        self._proof = Proof(api_key, not as_front_end, clock, self._log)
        self._retries, self._on_error, self._pace = max_connect_user_retries, on_connect_user_error, pace
        self._randomness = randomness
        self.tokens = AsyncTokenManager(
            client=client,
            api_key=api_key,
            as_front_end=as_front_end,
            on_token_updated=on_token_updated,
            pace=pace,
            log_options=self.logs,
            alarm=alarm,
            clock=clock,
            monotonic=monotonic,
            randomness=randomness,
        )
        self._connection: Connection | None = None
        self._last_error: BaseException | None = None
        self._beside: asyncio.Task[EndUser] | None = None
        self._home = HomeLoop()
        self._wish = user, token, token_provider
        self._begun: Begun | None = None
        if wanted is not None and auto_connect:
            self._connect_soon(wanted)

    @classmethod
    def get_or_create(
        cls, api_key: str, user: EndUser | str, *, target: str | None = None, **options: Any
    ) -> AsyncUserClient:
        """As ``UserClient.get_or_create``."""
        wanted, auto_connect = as_user(user), options.pop("auto_connect", True)
        target = target_of(target, options.get("client"))

        def make() -> AsyncUserClient:
            if auto_connect:
                provider_for(wanted, options.get("token"), options.get("token_provider"))
            return cls(target, api_key, wanted, auto_connect=False, **options)

        client, differing = cls._instances.get_or_make(
            target, api_key, wanted, options, make, is_over=lambda found: found._home.is_over
        )
        if differing is None and auto_connect:  # only now: one that fails has to be found before it can be forgotten
            client._connect_soon(wanted)
        warn_of_others(differing, client._log)
        return client

    @property
    def user(self) -> EndUser | None:
        """Who is connected, with the id that stands in the tokens; None until then."""
        return None if self._connection is None else self._connection.user

    async def connect_user(
        self,
        user: EndUser | str | None = None,
        token: TokenOrProvider | None = None,
        token_provider: TokenFunction | TokenProvider | None = None,
    ) -> EndUser:
        """As ``UserClient.connect_user``. Whoever is cancelled while it connects the user ends that for all."""
        if user is None:
            user, token, token_provider = self._wish
        if user is None:
            raise ValueError("say which user to connect")
        wanted = as_user(user)
        connection, is_new = self._claim(wanted)
        if is_new:
            return await self._connect(connection, token, token_provider)
        connection.warn_of_another(wanted, self._log)
        return await _outcome(connection)

    async def disconnect_user(self) -> None:
        """As ``UserClient.disconnect_user``."""
        connection, self._connection = self._connection, None
        self._last_error = self._begun = None
        self.tokens.forget()
        self._instances.remove(self)
        if connection is not None and not connection.outcome.done() and not self._home.is_over:
            connection.outcome.set_exception(disconnected())

    async def token(self, *, timeout: timedelta = PATIENCE) -> str:
        """A token of the user, once it is connected."""
        self._home.check()
        span("timeout", timeout)
        connection = self._connection
        if connection is None:
            raise nobody(self._last_error)
        if connection.user is None:
            try:
                async with asyncio.timeout(timeout.total_seconds()):
                    await _outcome(connection)
            except TimeoutError:
                fault = connection.too_late()
                raise fault from fault.__cause__
        return await self.tokens.token(timeout=timeout)

    async def renewed(
        self, refused: str, status: TokenStatus = TokenStatus.EXPIRED, *, timeout: timedelta = PATIENCE
    ) -> str:
        """As ``TokenManager.renewed``."""
        return await self.tokens.renewed(refused, status, timeout=timeout)

    def interceptors(self) -> list[grpc.aio.ClientInterceptor]:
        """What a channel takes so that the user's token goes with every call."""
        return user_token_interceptors(self)

    async def close(self) -> None:
        """Disconnect, and give the connection to the service up; what was under way has ended when this returns.

        A callback of this client may call it too: that which called the callback is not waited for. Raises
        ``RuntimeError`` in another loop than the client's, while that one is there.
        """
        if not self._home.is_over:
            self._home.check()
        tasks = [*self.tokens.under_way, *([self._beside] if self._beside is not None else [])]
        await self.disconnect_user()
        if not self._home.is_over:
            await others_end(tasks)
        if self._own is not None:
            await self._own.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncUserClient({self._target!r}, {self._api_key!r})"

    def _connect_soon(self, user: EndUser) -> None:
        connection, _ = self._claim(user)
        _, token, token_provider = self._wish
        self._beside = asyncio.get_running_loop().create_task(self._connect(connection, token, token_provider))
        self._beside.add_done_callback(_heard)

    def _claim(self, user: EndUser) -> tuple[Connection, bool]:
        """The connection of that user, and whether it is the caller's to make."""
        self._home.check()
        if self._connection is not None:
            self._connection.check(user)
            return self._connection, False
        outcome = asyncio.get_running_loop().create_future()
        outcome.add_done_callback(_heard)
        attempts = Attempts(self._retries, self._pace, self._randomness)
        self._connection, self._last_error = Connection(user, outcome, attempts), None
        return self._connection, True

    async def _connect(
        self,
        connection: Connection,
        token: TokenOrProvider | None,
        token_provider: TokenFunction | TokenProvider | None,
    ) -> EndUser:
        hands = AwaitingHands(self.tokens, self._client, connection, self._on_error, self._log)
        try:
            begun = Begun.going_on(self._begun, connection.asked, token, token_provider)
            self._check_wanted(connection)
            self._begun = begun
            self.tokens.follow(connection.asked.final_id, begun.provider)
            await run_later(self._proof.course(connection.attempts), hands)
            self._check_wanted(connection)
        except BaseException as error:
            self._failed(connection, error)
            raise
        user = connection.become(self.tokens.user_id)
        self._instances.connected(self, self._target, self._api_key, connection.asked, user)
        self._log.debug("a user is connected", user_id=user.id)
        connection.outcome.set_result(user)
        return user

    def _check_wanted(self, connection: Connection) -> None:
        if self._connection is not connection:
            raise disconnected()

    def _failed(self, connection: Connection, error: BaseException) -> None:
        told = error if isinstance(error, Exception) else disconnected()
        if self._connection is connection:
            self._connection, self._last_error = None, told
            self.tokens.forget()
            self._instances.remove(self)
        if not connection.outcome.done():
            connection.outcome.set_exception(told)


async def _outcome(connection: Connection) -> EndUser:
    try:
        user: EndUser = await asyncio.shield(connection.outcome)
    except Exception as error:  # noqa: BLE001 - told to each who waits
        raise faults.again(error) from error.__cause__
    return user


def _heard(ended: asyncio.Future[Any]) -> None:
    """Calls that need the user are told why it is not connected: what nobody awaited is no mistake."""
    with suppress(asyncio.CancelledError):
        ended.exception()
