"""A day in the life of users who share a client: each refreshes its session, replies get lost, the server restarts.

The server, its store and the wire are real; time is not. All that waits, managers and their alarms, waits on one clock
that jumps from one event to the next, so a day takes as long as its calls.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from authsvc.accounts.requests import AccountProfile
from authsvc.app.composition import build_server, open_domain
from authsvc.client import AuthClient, AuthClientError, Failure, Retries, Unavailable
from authsvc.client.tokens import faults
from authsvc.client.tokens.manager import TokenManager
from authsvc.client.tokens.manager_aio import AsyncTokenManager
from authsvc.client.tokens.providers import TokenProvider
from authsvc.clock import system_randomness
from authsvc.config import Settings
from authsvc.logs import CLIENT_SCOPES, LoggerSystem
from authsvc.model import ApiKey, AppSettings, Permission, TokenStatus
from authsvc.signing.sealing import Kek
from authsvc.v1 import auth_pb2
from tests.alarms import HandAlarms
from tests.conftest import HandClock
from tests.quiet import hush

TTL = timedelta(minutes=10)
BETWEEN_CALLS = 300.0
AT_ONCE = timedelta(microseconds=1)  # nobody waits: all that takes time is an event of its own
LAST_REPLIES = 60.0  # at most so many seconds before the end of a server are those whose replies all get lost
AWAKE = 0.7
"""The part of its time in which a machine that dozes is awake: a token is over there before it is found to be."""
LOST = Unavailable(Failure("UNAVAILABLE", "UNAVAILABLE", "the reply was lost"))


class Timeline:
    """A clock, and everything that is to happen by it, in its order."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self._begin = self.clock()
        self._numbers = count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._called_off: set[int] = set()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return (self.clock() - self._begin).total_seconds()

    def monotonic(self) -> int:
        """Nanoseconds since the beginning."""
        return int(self.seconds * 1_000_000_000)

    def __call__(self, span: timedelta, ring: Callable[[], None]) -> Callable[[], None]:
        number = next(self._numbers)
        heapq.heappush(self._events, (self.seconds + span.total_seconds(), number, ring))
        return partial(self._called_off.add, number)

    def run(self, until: float) -> None:
        """Let happen what happens until then."""
        while self._events and self._events[0][0] <= until:
            due, number, ring = heapq.heappop(self._events)
            if number not in self._called_off:
                self.clock.move(seconds=max(due - self.seconds, 0))
                ring()


class Dozing:
    """The machine of a user who closes it now and then: its alarms and the clock that is never set stand still
    meanwhile. Evenly spread over the day, so both go slowly."""

    def __init__(self, timeline: Timeline, awake: float) -> None:
        self._timeline = timeline
        self._awake = awake

    def monotonic(self) -> int:
        """Nanoseconds that it was awake."""
        return int(self._timeline.monotonic() * self._awake)

    def __call__(self, span: timedelta, ring: Callable[[], None]) -> Callable[[], None]:
        return self._timeline(span / self._awake, ring)


class RestartedServer:
    """A server in this process over a store that outlives it."""

    def __init__(self, state_dir: Path, timeline: Timeline) -> None:
        self._state_dir = state_dir
        self._timeline = timeline
        self._lifetime = ExitStack()
        self._credential = ""
        self.client: AuthClient | None = None

    def start(self) -> None:
        """Serve, on a port of its own, and connect a client to it."""
        settings = Settings(state_dir=self._state_dir, listen="127.0.0.1:0")
        kek, clock = Kek(bytes(range(32))), self._timeline.clock
        domain = self._lifetime.enter_context(
            open_domain(settings, kek, clock=clock, randomness=system_randomness, alarm=HandAlarms())
        )
        hush(domain.logs)
        rpc = build_server(domain, dev=True, reflection=False, clock=clock)
        target = f"127.0.0.1:{rpc.listen('127.0.0.1:0')}"
        rpc.health.set_serving(True)
        self._lifetime.callback(rpc.stop, lame_duck=timedelta(0), grace=timedelta(seconds=2))
        if not self._credential:
            profile = AccountProfile("all", tuple(Permission), all_apps=True)
            self._credential = domain.accounts.create_as("test", profile).credential.text
            domain.apps.create_as("test", ApiKey("dev"), AppSettings(default_ttl=TTL))
        own = [("grpc.use_local_subchannel_pool", 1)]
        client = AuthClient(target, self._credential, options=own, retries=Retries(limit=0))
        self.client = self._lifetime.enter_context(client)

    def stop(self) -> None:
        """End it; the store stays."""
        self.client = None
        self._lifetime.close()
        self._lifetime = ExitStack()


@dataclass
class LossyClient:
    """The client that all users share, over a network that loses replies: what was asked is done, nobody hears of it.

    Without ``keeping_request_ids`` it is a client that makes a new one for each attempt: the control.
    """

    server: RestartedServer
    timeline: Timeline
    chances: random.Random
    lost: float
    keeping_request_ids: bool = True
    dying_from: float = float("inf")
    counts: Counter[str] = field(default_factory=Counter)
    logs: LoggerSystem = field(default_factory=lambda: LoggerSystem(CLIENT_SCOPES, built_in=lambda *_: None))

    def refresh_token(
        self, request: auth_pb2.RefreshTokenRequest, *, timeout: timedelta
    ) -> auth_pb2.RefreshTokenResponse:
        """As the client's own; some replies get lost, all of those that a server makes in its last seconds."""
        if not self.keeping_request_ids:
            request = auth_pb2.RefreshTokenRequest(refresh_token=request.refresh_token)
        answer = self._reached().refresh_token(request, timeout=timeout)
        self.counts[auth_pb2.RefreshOutcome.Name(answer.outcome).removeprefix("REFRESH_OUTCOME_").lower()] += 1
        if self.timeline.seconds >= self.dying_from or self.chances.random() < self.lost:
            self.counts["lost replies"] += 1
            raise LOST
        return answer

    def issue_token(self, request: auth_pb2.IssueTokenRequest) -> auth_pb2.IssueTokenResponse:
        """As the client's own."""
        return self._reached().issue_token(request)

    def validate_token(self, request: auth_pb2.ValidateTokenRequest) -> auth_pb2.ValidateTokenResponse:
        """As the client's own."""
        return self._reached().validate_token(request)

    def _reached(self) -> AuthClient:
        if self.server.client is None:
            self.counts["calls while it was down"] += 1
            raise Unavailable(Failure("UNAVAILABLE", "UNAVAILABLE", "no server"))
        return self.server.client


@dataclass
class Day:
    """What came of it: users that were logged out, calls that were made and how they ended."""

    counts: Counter[str] = field(default_factory=Counter)
    logged_out: dict[str, str] = field(default_factory=dict)


class Awaited:
    """An ``AsyncTokenManager``, asked as the other kind is: its loop runs until nothing more happens at that moment."""

    def __init__(self, runner: asyncio.Runner, machine: Dozing, *args: Any, **parts: Any) -> None:
        self._runner = runner
        self._machine = machine
        self._manager = AsyncTokenManager(*args, alarm=self._alarm, monotonic=machine.monotonic, **parts)
        self.peek = self._manager.peek

    def token(self, *, timeout: timedelta) -> str:
        """As the manager's own."""
        return self._runner.run(self._asked(self._manager.token()))

    def renewed(self, refused: str, *, timeout: timedelta) -> str:
        """As the manager's own."""
        return self._runner.run(self._asked(self._manager.renewed(refused)))

    def _alarm(self, span: timedelta, ring: Callable[[], None]) -> Callable[[], None]:
        return self._machine(span, lambda: self._runner.run(self._rung(ring)))

    async def _rung(self, ring: Callable[[], None]) -> None:
        ring()
        await self._settle()

    async def _asked(self, asking: Coroutine[Any, Any, str]) -> str:
        task = asyncio.create_task(asking)
        await asyncio.sleep(0)
        await self._settle()
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
            raise faults.TokenTimeout.saying("it is loaded later")
        return task.result()

    async def _settle(self) -> None:
        while tasks := self._manager.under_way:
            await asyncio.wait(tasks)
        for _ in range(3):  # whom they let go on
            await asyncio.sleep(0)


class Crowd:
    """Users with a session each, who call now and then; every other machine dozes, every other pair of users awaits."""

    def __init__(self, client: LossyClient, timeline: Timeline, runner: asyncio.Runner, users: int, day: Day) -> None:
        self._client, self._timeline, self._day = client, timeline, day
        self.managers = dict[str, TokenManager | Awaited]()
        for number in range(users):
            machine = Dozing(timeline, AWAKE if number % 2 else 1)
            make: Callable[..., TokenManager | Awaited] = partial(
                TokenManager, alarm=machine, monotonic=machine.monotonic, spawn=lambda work: work()
            )
            if number // 2 % 2:
                make = partial(Awaited, runner, machine)
            self.managers[f"user-{number}"] = self._sign_in(f"user-{number}", make)
        for user in self.managers:
            self._later(user)

    def call(self, user: str) -> None:
        """One call: with the token that is there, and the one after it where the service says it has expired."""
        manager = self.managers[user]
        token = manager.peek()
        if token is None:
            self._day.counts["calls without a token"] += 1
            self._got(user, partial(manager.token, timeout=AT_ONCE))
        elif self._status(user, token) is TokenStatus.EXPIRED:
            following = self._got(user, partial(manager.renewed, token, timeout=AT_ONCE))
            if following is not None:
                self._day.counts["calls, once more"] += 1
                if self._status(user, following) is TokenStatus.EXPIRED:
                    self._day.logged_out.setdefault(user, "the token after one that had expired has expired too")
        self._later(user)

    def _got(self, user: str, ask: Callable[[], str]) -> str | None:
        try:
            return ask()
        except (faults.TokenTimeout, faults.ProviderFailed):
            return None  # it is being loaded, or will be when the pause is over
        except AuthClientError as error:
            self._day.logged_out.setdefault(user, str(error))
            return None

    def _sign_in(self, user: str, make: Callable[..., TokenManager | Awaited]) -> TokenManager | Awaited:
        request = auth_pb2.IssueTokenRequest(api_key="dev", user=auth_pb2.User(id=user), refreshable=True)
        issued = self._client.issue_token(request)
        chances: Any = self._client.chances
        return make(
            user,
            TokenProvider.session(issued.refresh_token),
            token=issued.token,
            client=self._client,
            api_key="dev",
            clock=self._timeline.clock,
            randomness=chances.randbytes,
        )

    def _status(self, user: str, token: str) -> TokenStatus | None:
        """What the service says, noted; None where it says nothing."""
        try:
            answer = self._client.validate_token(auth_pb2.ValidateTokenRequest(api_key="dev", token=token))
        except Unavailable:
            self._day.counts["calls, not answered"] += 1
            return None
        status = TokenStatus(auth_pb2.TokenStatus.Name(answer.status).removeprefix("TOKEN_STATUS_"))
        if status in (TokenStatus.EXPIRED, TokenStatus.ACTIVE):
            self._day.counts[f"calls, {status}"] += 1
        else:
            self._day.logged_out.setdefault(user, f"a token is {status}")
        return status

    def _later(self, user: str) -> None:
        span = timedelta(seconds=self._client.chances.expovariate(1 / BETWEEN_CALLS))
        self._timeline(span, partial(self.call, user))


@contextmanager
def served(state_dir: Path, timeline: Timeline) -> Iterator[RestartedServer]:
    """A server that is stopped in the end."""
    server = RestartedServer(state_dir, timeline)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def live_through(
    state_dir: Path,
    *,
    users: int,
    hours: float = 24,
    restarts: int = 24,
    lost: float = 0.2,
    seed: int = 1,
    keeping_request_ids: bool = True,
) -> Day:
    """Let the users live through the day; afterwards each is asked for a token once more."""
    timeline, chances, day = Timeline(), random.Random(seed), Day()
    with asyncio.Runner() as runner, served(state_dir, timeline) as server:
        client = LossyClient(server, timeline, chances, lost, keeping_request_ids)
        crowd = Crowd(client, timeline, runner, users, day)
        for restart in sorted(chances.uniform(600, hours * 3600 - 600) for _ in range(restarts)):
            client.dying_from = restart - chances.uniform(0, LAST_REPLIES)
            timeline.run(restart)
            server.stop()
            timeline.run(timeline.seconds + chances.uniform(40, 120))
            server.start()
            client.dying_from = float("inf")
        timeline.run(hours * 3600)
        for user in crowd.managers:
            crowd.call(user)
        client.lost = 0
        timeline.run(hours * 3600 + 60)
        for user, manager in crowd.managers.items():
            if manager.peek() is None and user not in day.logged_out:
                day.logged_out[user] = "there is no token"
        day.counts.update(client.counts)
    return day
