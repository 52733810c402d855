"""``AuthClient`` and ``AsyncAuthClient``: the calls of a backend that mints, renews and checks its users' tokens."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from functools import partial
from typing import Self

from authsvc.client.admin import AdminCalls, AsyncAdminCalls
from authsvc.client.awaited import AwaitedCalls, AwaitedLines, AwaitedPause
from authsvc.client.calls import Calls, Pause
from authsvc.client.channel import ChannelOptions, Tls, Way, open_awaited_channel, open_channel
from authsvc.client.course import RETRIES, TIMEOUT, rules_for
from authsvc.client.credential import Bearer
from authsvc.client.guest import AsyncGuestCalls, GuestCalls
from authsvc.client.lines import Lines
from authsvc.client.logs import LogOptions, make_client_logs
from authsvc.client.methods import Awaiting, Pages, Unary, Waiting
from authsvc.client.request_ids import with_request_id, with_request_ids
from authsvc.client.retries import Retries
from authsvc.client.trust import AsyncTrustCalls, TrustCalls
from authsvc.clock import Randomness, system_randomness
from authsvc.logs import LoggerSystem, SecretText
from authsvc.v1 import auth_pb2 as v1
from authsvc.v1.auth_pb2_grpc import AuthServiceStub as Stub


class AuthMethods:
    """The methods of AuthService."""

    issue_token = Unary[v1.IssueTokenRequest, v1.IssueTokenResponse](
        Stub, "IssueToken", repeats=True, named=with_request_id
    )
    """Mint an access token.

    Without a ``request_id`` one is made, so that a lost reply is asked for again. Give and keep your own to repeat the
    request later, after a crash say.
    """

    refresh_token = Unary[v1.RefreshTokenRequest, v1.RefreshTokenResponse](
        Stub, "RefreshToken", repeats=True, named=with_request_id
    )
    """Turn a refresh token into the next pair of tokens. Without a ``request_id`` one is made, as for issuing.

    Raises ``RefreshRefused`` when the user has to sign in again.
    """

    validate_token = Unary[v1.ValidateTokenRequest, v1.ValidateTokenResponse](Stub, "ValidateToken", repeats=True)
    """Ask whether an access token is good now: look at ``active`` first. A bad token is an answer, not an error."""

    batch_issue_tokens = Unary[v1.BatchIssueTokensRequest, v1.BatchIssueTokensResponse](
        Stub, "BatchIssueTokens", repeats=True, named=with_request_ids
    )
    """Mint up to 256 tokens; an item without a ``request_id`` gets one.

    A result holds the ``response``, or the ``status`` that ``item_error`` turns into the error of that item.
    """

    batch_validate_tokens = Unary[v1.BatchValidateTokensRequest, v1.BatchValidateTokensResponse](
        Stub, "BatchValidateTokens", repeats=True
    )
    """Ask about up to 256 access tokens; results as for ``batch_issue_tokens``, a bad token is a ``response``."""

    revoke_tokens = Unary[v1.RevokeTokensRequest, v1.RevokeTokensResponse](Stub, "RevokeTokens", repeats=True)
    """End tokens and sessions of a user, a session, a token or the whole app; doing it twice is harmless."""

    list_sessions = Unary[v1.ListSessionsRequest, v1.ListSessionsResponse](Stub, "ListSessions", repeats=True)
    """Read one page of sessions; ``sessions`` reads all."""

    sessions = Pages[v1.ListSessionsRequest, v1.Session](list_sessions, v1.ListSessionsRequest, "sessions")
    """All sessions of an app, or of one user, ordered by session_id."""


class AuthClient(AuthMethods, Waiting):
    """A connection to the service at ``target``, for any number of threads; close it, or use it as a context manager.

    ``credential`` is this backend's service credential (``ask1_…``). A target on loopback is spoken to in plaintext,
    any other by TLS: ``tls`` is ``TlsFiles`` (roots of your own, a client's certificate; followed when they change on
    disk) or what ``grpc.ssl_channel_credentials`` gives; ``allow_plaintext`` gives the protection of credential and
    tokens up.

    Each call ends within ``timeout`` (a call's own wins), repeats included. Calls that are safe to repeat are repeated
    while the service is unavailable. All raise ``AuthClientError``; after ``close``, ``ValueError``. One that was used
    before a fork raises ``RuntimeError`` in the child: make one there.

    ``log_options`` sets what ``logs``, the loggers of this client alone, write and where. ``randomness`` makes request
    ids, ``pause`` waits between repeats.

    ``says_who_it_is`` is whether it shows a credential or may show a certificate, as a backend does and no front end.
    """

    def __init__(
        self,
        target: str,
        credential: str | SecretText | None = None,
        *,
        timeout: timedelta = TIMEOUT,
        tls: Tls | None = None,
        allow_plaintext: bool = False,
        options: ChannelOptions = (),
        retries: Retries = RETRIES,
        log_options: LogOptions | LoggerSystem | None = None,
        randomness: Randomness = system_randomness,
        pause: Pause = time.sleep,
    ) -> None:
        self.logs = make_client_logs(log_options)
        self.target, log = target, self.logs.get_logger("client")
        way = Way(target, tls=tls, allow_plaintext=allow_plaintext, options=options, log=log)
        self.says_who_it_is = credential is not None or way.may_show_certificate
        rules = rules_for(Bearer(credential), timeout=timeout, retries=retries, randomness=randomness, log=log)
        super().__init__(Calls(Lines(partial(open_channel, way), way.renewed), rules, pause))
        self.admin = AdminCalls(self._calls)
        self.guests = GuestCalls(self._calls.without_credential())
        self.trust = TrustCalls(self._calls)

    def close(self) -> None:
        """Give the connection up; calls in flight end with CANCELLED."""
        self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"AuthClient({self.target!r})"


class AsyncAuthClient(AuthMethods, Awaiting):
    """As ``AuthClient``, for any number of tasks of one event loop: that of the first call.

    Whoever is cancelled while a call is awaited gets ``CancelledError``, whatever becomes of the call; so does whoever
    awaits a call when the client is closed.
    """

    def __init__(
        self,
        target: str,
        credential: str | SecretText | None = None,
        *,
        timeout: timedelta = TIMEOUT,
        tls: Tls | None = None,
        allow_plaintext: bool = False,
        options: ChannelOptions = (),
        retries: Retries = RETRIES,
        log_options: LogOptions | LoggerSystem | None = None,
        randomness: Randomness = system_randomness,
        pause: AwaitedPause = asyncio.sleep,
    ) -> None:
        self.logs = make_client_logs(log_options)
        self.target, log = target, self.logs.get_logger("client")
        way = Way(target, tls=tls, allow_plaintext=allow_plaintext, options=options, log=log)
        self.says_who_it_is = credential is not None or way.may_show_certificate
        rules = rules_for(Bearer(credential), timeout=timeout, retries=retries, randomness=randomness, log=log)
        super().__init__(AwaitedCalls(AwaitedLines(partial(open_awaited_channel, way), way.renewed), rules, pause))
        self.admin = AsyncAdminCalls(self._calls)
        self.guests = AsyncGuestCalls(self._calls.without_credential())
        self.trust = AsyncTrustCalls(self._calls)

    async def close(self) -> None:
        """Give the connection up; calls in flight are cancelled."""
        await self._calls.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncAuthClient({self.target!r})"
