"""``UserClient``: speaks for one end user, for any number of threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar, Self

import grpc

from authsvc.client.attaching.interceptor import UserTokenInterceptor
from authsvc.client.auth import AuthClient
from authsvc.client.channel import Tls
from authsvc.client.homes import HomeProcess, tell_after_fork
from authsvc.client.logs import LogOptions, make_client_logs
from authsvc.client.spans import span
from authsvc.client.tokens import faults
from authsvc.client.tokens.keeper import OnTokenUpdated
from authsvc.client.tokens.manager import PACE, PATIENCE, Spawn, TokenManager, start_thread
from authsvc.client.tokens.pace import Pace
from authsvc.client.tokens.providers import TokenOrProvider, TokenProvider
from authsvc.client.tokens.source import TokenFunction, refuse_asynchronous
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
from authsvc.client.user.hands import WaitingHands
from authsvc.client.user.instances import Instances
from authsvc.client.user.people import EndUser, as_user
from authsvc.client.user.proving import Proof, run
from authsvc.clock import Clock, Monotonic, Randomness, system_clock, system_monotonic, system_randomness
from authsvc.logs import Alarm, LoggerSystem, SecretText
from authsvc.model import TokenStatus


class UserClient:
    """Connects one end user at a time and has its token for every call.

    With a ``user`` it connects at once, beside the caller, unless ``auto_connect`` is off; then ``connect_user`` does.
    A user with an account needs ``token``, ``token_provider`` or both; guests and anonymous users get their tokens
    from the service. ``credential``, or a certificate in ``tls``, is for programs that are a backend too: then the
    service is asked about tokens, and asked for guests as a backend does. ``as_front_end`` says which of both it is
    where that is not to be seen, as with ``tls`` made by gRPC: by default that is a front end's. ``client`` is an
    ``AuthClient`` to share, whose ``target`` is this one's; of a front end where it does not say who it is. Without it
    the client's own is made from ``target``, ``credential``, ``tls`` and ``allow_plaintext``.

    Connecting is tried again ``max_connect_user_retries`` times, for errors that may pass. When it is given up,
    ``on_connect_user_error`` is told of the last error and of all of them, once, and the error is raised.

    Raises ``ValueError`` for wishes that contradict each other, ``TypeError`` for functions that have to be awaited and
    for what is no user.
    In the child of a process that has used it, ``RuntimeError``: make one there.
    """

    _instances: ClassVar[Instances[UserClient]] = Instances()

    def __init__(
        self,
        target: str,
        api_key: str,
        user: EndUser | str | None = None,
        *,
        token: TokenOrProvider | None = None,
        token_provider: TokenFunction | TokenProvider | None = None,
        credential: str | SecretText | None = None,
        client: AuthClient | None = None,
        as_front_end: bool | None = None,
        auto_connect: bool = True,
        max_connect_user_retries: int = RETRIES,
        on_connect_user_error: OnConnectUserError | None = None,
        on_token_updated: OnTokenUpdated | None = None,
        pace: Pace = PACE,
        tls: Tls | None = None,
        allow_plaintext: bool = False,
        log_options: LogOptions | LoggerSystem | None = None,
        alarm: Alarm | None = None,
        spawn: Spawn = start_thread,
        clock: Clock = system_clock,
        monotonic: Monotonic = system_monotonic,
        randomness: Randomness = system_randomness,
    ) -> None:
        Attempts(max_connect_user_retries, pace, randomness)  # what means nothing is said now, not when it is used
        refuse_asynchronous("on_connect_user_error", on_connect_user_error)
        wanted = None if user is None else as_user(user)
        if wanted is not None and auto_connect:
            provider_for(wanted, token, token_provider).refuse_asynchronous()
        self.logs = client.logs if client is not None and log_options is None else make_client_logs(log_options)
        self._log = self.logs.get_logger("client.user")
        self._target, self._api_key = target, api_key
        self._own = None
        if client is None:
            client = self._own = AuthClient(
                target, credential, tls=tls, allow_plaintext=allow_plaintext, log_options=self.logs
            )
        else:
            shared_client_knows(client, target, credential=credential, tls=tls, allow_plaintext=allow_plaintext)
        as_front_end = is_front_end(client, as_front_end, credential=credential, tls=tls)
        self._client = client
        self._proof = Proof(api_key, not as_front_end, clock, self._log)
        self._retries, self._on_error, self._pace = max_connect_user_retries, on_connect_user_error, pace
        self._randomness = randomness
        self.tokens = TokenManager(
            client=client,
            api_key=api_key,
            as_front_end=as_front_end,
            on_token_updated=on_token_updated,
            pace=pace,
            log_options=self.logs,
            alarm=alarm,
            spawn=spawn,
            clock=clock,
            monotonic=monotonic,
            randomness=randomness,
        )
        self._home = HomeProcess()
        self._lock, self._gone = threading.Lock(), threading.Event()
        self._connection: Connection | None = None
        self._last_error: BaseException | None = None
        tell_after_fork(self)
        self._wish = user, token, token_provider
        self._begun: Begun | None = None
        self._spawn = spawn
        if wanted is not None and auto_connect:
            self._connect_soon(self._claim(wanted)[0])

    @classmethod
    def get_or_create(
        cls, api_key: str, user: EndUser | str, *, target: str | None = None, **options: Any
    ) -> UserClient:
        """The client of that user in this process, made on the first call with what ``UserClient`` takes.

        There is one for a target, an app and a final user id, as long as it is connected, or being connected. Options
        that are given and differ from those it was made with are not taken over, and a warning says which: ``user``
        for other cids, another name, image or custom data.
        """
        wanted, auto_connect = as_user(user), options.pop("auto_connect", True)
        target = target_of(target, options.get("client"))
        begun: list[Connection] = []

        def make() -> UserClient:
            if auto_connect:
                provider_for(wanted, options.get("token"), options.get("token_provider")).refuse_asynchronous()
            made = cls(target, api_key, wanted, auto_connect=False, **options)
            begun.extend([made._claim(wanted)[0]] if auto_connect else [])
            return made

        client, differing = cls._instances.get_or_make(target, api_key, wanted, options, make)
        for connection in begun:  # only now: one that fails has to be found before it can be forgotten
            client._connect_soon(connection)
        warn_of_others(differing, client._log)
        return client

    @property
    def user(self) -> EndUser | None:
        """Who is connected, with the id that stands in the tokens; None until then."""
        connection = self._connection
        return None if connection is None else connection.user

    def connect_user(
        self,
        user: EndUser | str | None = None,
        token: TokenOrProvider | None = None,
        token_provider: TokenFunction | TokenProvider | None = None,
    ) -> EndUser:
        """Connect a user, by default the one that the client was made for; who it is, with the final id.

        For a user who is connected, or being connected, gives that outcome, with a warning where other cids, another
        name, image or custom data are wished; raises ``AlreadyConnected`` for another user. Raises what connecting
        ended with: ``TokenError``, or what the service or the provider said.
        """
        self._home.check()
        if user is None:
            user, token, token_provider = self._wish
        if user is None:
            raise ValueError("say which user to connect")
        wanted = as_user(user)
        connection, is_new = self._claim(wanted)
        if is_new:
            return self._connect(connection, token, token_provider)
        connection.warn_of_another(wanted, self._log)
        return self._outcome(connection, None)

    def disconnect_user(self) -> None:
        """Forget the user and its tokens; loads are cancelled, and who waits is told.

        A guest ends with it: the next one, of the same hint too, is another guest.
        """
        with self._lock:
            connection, self._connection = self._connection, None
            self._gone.set()
            self._last_error = self._begun = None
            self.tokens.forget()
        self._instances.remove(self)
        if connection is not None:
            _settle(connection.outcome, disconnected())

    def token(self, *, timeout: timedelta = PATIENCE) -> str:
        """A token of the user, once it is connected."""
        self._wait(span("timeout", timeout))
        return self.tokens.token(timeout=timeout)

    def renewed(self, refused: str, status: TokenStatus = TokenStatus.EXPIRED, *, timeout: timedelta = PATIENCE) -> str:
        """As ``TokenManager.renewed``."""
        self._home.check()
        return self.tokens.renewed(refused, status, timeout=timeout)

    def intercept(self, channel: grpc.Channel) -> grpc.Channel:
        """The channel, with the user's token on every call."""
        return grpc.intercept_channel(channel, UserTokenInterceptor(self))

    def close(self) -> None:
        """Disconnect, and give the connection to the service up."""
        self.disconnect_user()
        if self._own is not None:
            self._own.close()

    def in_the_child(self) -> None:
        """Be nobody's in the child of a fork: what connects the user there is gone."""
        self._lock, self._gone = threading.Lock(), threading.Event()
        self._connection = self._last_error = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"UserClient({self._target!r}, {self._api_key!r})"

    def _claim(self, user: EndUser) -> tuple[Connection, bool]:
        """The connection of that user, and whether it is the caller's to make."""
        with self._lock:
            if self._connection is not None:
                self._connection.check(user)
                return self._connection, False
            self._connection = Connection(user, Future(), Attempts(self._retries, self._pace, self._randomness))
            self._gone, self._last_error = threading.Event(), None
            return self._connection, True

    def _connect_soon(self, connection: Connection) -> None:
        self._spawn(lambda: self._connect_beside(connection))

    def _connect_beside(self, connection: Connection) -> None:
        _, token, token_provider = self._wish
        # Calls that need the user are told, as is on_connect_user_error: here is nobody to tell.
        with suppress(Exception):
            self._connect(connection, token, token_provider)

    def _connect(
        self,
        connection: Connection,
        token: TokenOrProvider | None,
        token_provider: TokenFunction | TokenProvider | None,
    ) -> EndUser:
        hands = WaitingHands(self.tokens, self._client, self._gone, self._on_error, self._log)
        try:
            begun = Begun.going_on(self._begun, connection.asked, token, token_provider)
            with self._lock:
                self._check_wanted(connection)
                self._begun = begun
                self.tokens.follow(connection.asked.final_id, begun.provider)
            run(self._proof.course(connection.attempts), hands)
            with self._lock:
                self._check_wanted(connection)
                user = connection.become(self.tokens.user_id)
        except BaseException as error:
            self._failed(connection, error)
            raise
        self._instances.connected(self, self._target, self._api_key, connection.asked, user)
        self._log.debug("a user is connected", user_id=user.id)
        _settle(connection.outcome, user)
        return user

    def _check_wanted(self, connection: Connection) -> None:
        if self._connection is not connection:
            raise disconnected()

    def _failed(self, connection: Connection, error: BaseException) -> None:
        with self._lock:
            if self._connection is connection:
                self._connection, self._last_error = None, error
                self.tokens.forget()
                self._instances.remove(self)
        _settle(connection.outcome, error)

    def _wait(self, timeout: timedelta) -> None:
        self._home.check()
        with self._lock:
            connection, last = self._connection, self._last_error
        if connection is None:
            raise nobody(last)
        if connection.user is None:
            self._outcome(connection, timeout)

    @staticmethod
    def _outcome(connection: Connection, timeout: timedelta | None) -> EndUser:
        seconds = None if timeout is None else timeout.total_seconds()
        try:
            error = connection.outcome.exception(seconds)
        except TimeoutError:
            fault = connection.too_late()
            raise fault from fault.__cause__
        if error is not None:
            raise faults.again(error)
        user: EndUser = connection.outcome.result()
        return user


def _settle(outcome: Future[EndUser], said: EndUser | BaseException) -> None:
    settle: Callable[[Any], None] = outcome.set_exception if isinstance(said, BaseException) else outcome.set_result
    with suppress(InvalidStateError):  # disconnected meanwhile, and said so
        settle(said)
