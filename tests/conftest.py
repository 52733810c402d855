"""What the tests share: a clock that is moved by hand, and a real server over a store on disk."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_listener")  # as the server sets it, before gRPC is imported

import grpc
import pytest
from hypothesis import settings

from authsvc.accounts.requests import AccountProfile
from authsvc.app.composition import Domain, build_server, open_domain
from authsvc.clock import Monotonic, system_monotonic, system_randomness
from authsvc.config import Settings
from authsvc.logs import JsonLines
from authsvc.model import ApiKey, App, AppSettings
from authsvc.rpc.limits import Limits
from authsvc.rpc.server import RpcServer
from authsvc.signing.sealing import Kek
from authsvc.v1 import admin_pb2_grpc, auth_pb2_grpc
from tests.alarms import HandAlarms

# Modules of assertions that several folders import: registered here, before any test module is.
pytest.register_assert_rewrite(
    "tests.storage.contract", "tests.storage.places", "tests.storage.crowd", "tests.storage.sqlite"
)


# No timing is asserted, not even that of one example: machines are shared.
settings.register_profile("authsvc", deadline=None)
settings.load_profile("authsvc")


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)) -> None:
        self._now = self._began = now

    def __call__(self) -> datetime:
        return self._now

    def passed(self) -> int:
        """Nanoseconds since it was made: a monotonic clock for those to whom it was not set, but time went by."""
        return (self._now - self._began) // timedelta(microseconds=1) * 1_000

    def move(self, **by: float) -> None:
        """Move by a timedelta's arguments, backwards too."""
        self._now += timedelta(**by)


@dataclass
class RunningServer:
    """A real server on a port of its own, over a real store in a directory of its own."""

    domain: Domain
    rpc: RpcServer
    target: str
    api_key: str
    credential: str
    account_id: str
    clock: HandClock
    state_dir: Path
    written: io.StringIO
    _channels: list[grpc.Channel] = field(default_factory=list)

    @property
    def log(self) -> io.StringIO:
        """What was logged, the lines of all calls that are over included."""
        self.rpc.steps.log.flush()
        return self.written

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.credential}"),)

    def channel(self, **options: int) -> grpc.Channel:
        """A fresh connection: channels of one target share one unless told not to."""
        chosen = [("grpc.use_local_subchannel_pool", 1), *options.items()]
        channel = grpc.insecure_channel(self.target, options=chosen)
        self._channels.append(channel)
        return channel

    def auth(self) -> auth_pb2_grpc.AuthServiceStub:
        return auth_pb2_grpc.AuthServiceStub(self.channel())

    def admin(self) -> admin_pb2_grpc.AdminServiceStub:
        return admin_pb2_grpc.AdminServiceStub(self.channel())

    def new_app(self, api_key: str, **settings: object) -> App:
        """An app with those settings, made behind the wire."""
        return self.domain.apps.create_as("test", ApiKey(api_key), AppSettings(**settings))  # type: ignore[arg-type]

    def new_credential(self, name: str, **profile: object) -> str:
        """A credential of a new service account with that profile, made behind the wire."""
        return self.domain.accounts.create_as("test", AccountProfile(name, **profile)).credential.text  # type: ignore[arg-type]

    def close(self) -> None:
        for channel in self._channels:
            channel.close()
        self.rpc.stop(lame_duck=timedelta(0), grace=timedelta(seconds=2))


StartServer = Callable[..., RunningServer]


@pytest.fixture
def clock() -> HandClock:
    """A clock that is moved by hand."""
    return HandClock()


@pytest.fixture
def alarms() -> HandAlarms:
    """The alarms of all servers of a test; they ring by hand."""
    return HandAlarms()


@pytest.fixture
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory for a store, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="authsvc-test-") as path:
        yield Path(path)


@pytest.fixture
def start_server(state_dir: Path, clock: HandClock, alarms: HandAlarms) -> Iterator[StartServer]:
    """Start servers; each is stopped when the test ends."""
    with ExitStack() as lifetimes:

        def start(
            *,
            dev: bool = True,
            state: Path = state_dir,
            limits: Limits | None = None,
            build: Callable[[Domain], RpcServer] | None = None,
            monotonic: Monotonic = system_monotonic,
        ) -> RunningServer:
            settings = Settings(state_dir=state, listen="127.0.0.1:0")
            log = io.StringIO()
            domain = lifetimes.enter_context(
                open_domain(
                    settings,
                    Kek(bytes(range(32))),
                    clock=clock,
                    monotonic=monotonic,
                    randomness=system_randomness,
                    alarm=alarms,
                )
            )
            domain.logs.configure_loggers({"default": {"sink": JsonLines(log)}})
            rpc = (
                build_server(domain, dev=dev, reflection=False, clock=clock, limits=limits)
                if build is None
                else build(domain)
            )
            target = f"127.0.0.1:{rpc.listen('127.0.0.1:0')}"
            rpc.health.set_serving(True)
            made = domain.accounts.recover("all", "test")
            if domain.view.app(ApiKey("dev")) is None:
                settings_of_dev = AppSettings(guests_enabled=True, anonymous_enabled=True)
                domain.apps.create_as("test", ApiKey("dev"), settings_of_dev)
            server = RunningServer(domain, rpc, target, "dev", made.credential.text, made.account.id, clock, state, log)
            lifetimes.callback(server.close)
            return server

        yield start


@pytest.fixture
def server(start_server: StartServer) -> RunningServer:
    """A running server with the app ``dev`` and a credential with every permission on all apps."""
    return start_server()
