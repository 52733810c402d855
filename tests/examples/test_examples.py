"""The programs in ``examples/``, run as they stand against a real server."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from authsvc.client import (
    AsyncAuthClient,
    AsyncTokenManager,
    AuthClient,
    PermissionDenied,
    SignInRequired,
    TokenManager,
)
from authsvc.client.tokens.access_token import read_access_token
from authsvc.clock import system_clock
from authsvc.v1.auth_pb2 import IssueTokenRequest, RevokeTokensRequest, TokenScope, User, ValidateTokenRequest
from examples import livestream_viewer, orders_service, token_backend, worker
from tests.client.attaching.peer import running_peer
from tests.client.tokens.made import Machine
from tests.conftest import HandClock, RunningServer
from tests.refusals import read_refusal
from tests.rpc.surface import eventually

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 50.0


@pytest.fixture
def clock() -> HandClock:
    """The server's clock begins at the time that the examples see, which have no other."""
    return HandClock(system_clock())


@pytest.fixture
def client(server: RunningServer) -> Any:
    """A client of the running service."""
    with AuthClient(server.target, server.credential) as connected:
        yield connected


def is_active(client: AuthClient, token: str) -> bool:
    """What the service says of a token."""
    return client.validate_token(ValidateTokenRequest(api_key="dev", token=token)).active


async def token_of(browser: httpx.AsyncClient) -> str:
    """The token provider of a front end."""
    answer = await browser.get("/api/token")
    if answer.status_code == 401:
        raise SignInRequired.saying("the shop does not know this browser")
    token: str = answer.raise_for_status().json()["token"]
    return token


def test_a_front_end_has_the_tokens_of_its_backend(server: RunningServer, clock: HandClock, client: AuthClient) -> None:
    """The backend gives the one who is signed in a token, uncached; the front end renews it by asking again."""
    machine = Machine(clock)

    async def run() -> None:
        async with AsyncAuthClient(server.target, server.credential) as auth:
            backend = token_backend.TokenBackend(auth, "dev", {"cookie-of-sara": "sara"}).app()
            transport = httpx.ASGITransport(app=backend)
            cookies = {token_backend.COOKIE: "cookie-of-sara"}
            async with httpx.AsyncClient(transport=transport, base_url="http://shop", cookies=cookies) as browser:
                answer = await browser.get("/api/token")
                assert answer.headers["cache-control"] == "no-store"
                async with AsyncTokenManager("sara", lambda _: token_of(browser), **machine.parts) as tokens:
                    first = await tokens.token()
                    assert is_active(client, first)
                    clock.move(hours=2)
                    second = await tokens.token()
                    assert is_active(client, second)
                    assert not is_active(client, first)

    asyncio.run(_in_time(run()))


async def _in_time(work: Coroutine[Any, Any, None]) -> None:
    await asyncio.wait_for(work, 30)


def test_a_browser_that_is_not_signed_in_gets_nothing(server: RunningServer) -> None:
    """And is told so in a way that no token provider takes for a failure that passes; other methods are no way in."""

    async def run() -> None:
        async with AsyncAuthClient(server.target, server.credential) as auth:
            transport = httpx.ASGITransport(app=token_backend.TokenBackend(auth, "dev", {"cookie": "sara"}).app())
            async with httpx.AsyncClient(transport=transport, base_url="http://shop") as browser:
                assert (await browser.post("/api/token")).status_code == 405
                with pytest.raises(SignInRequired):
                    await AsyncTokenManager("sara", lambda _: token_of(browser)).token()

    asyncio.run(_in_time(run()))


def test_the_backend_passes_trouble_on(server: RunningServer) -> None:
    """While the service cannot be reached the front end is told to come back."""

    async def run() -> None:
        async with AsyncAuthClient("127.0.0.1:1", "ask1_x") as auth:
            transport = httpx.ASGITransport(app=token_backend.TokenBackend(auth, "dev", {"cookie": "sara"}).app())
            cookies = {token_backend.COOKIE: "cookie"}
            async with httpx.AsyncClient(transport=transport, base_url="http://shop", cookies=cookies) as browser:
                answer = await browser.get("/api/token")
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")

    asyncio.run(_in_time(run()))


def test_a_worker_goes_through_a_day(client: AuthClient, clock: HandClock, tmp_path: Path) -> None:
    """Every job of 24 hours has a good token, with a restart in the middle; the file is for nobody else to read."""
    machine, file = Machine(clock), worker.SessionFile(tmp_path / "session")
    parts: dict[str, Any] = {**machine.parts, "spawn": machine.spawn, "client": client, "api_key": "dev"}
    tokens_seen = set[str]()

    def job(token: str) -> None:
        assert is_active(client, token)
        tokens_seen.add(token)

    for _ in range(2):
        left = iter(range(12 * 6))

        def wait(left: Any = left) -> bool:
            clock.move(minutes=10)
            return next(left, None) is not None

        with TokenManager(worker.USER, worker.provider(client, file), **parts) as tokens:
            assert worker.work(tokens, job, wait) == 12 * 6
    assert 24 <= len(tokens_seen) <= 24 * 60 / 40
    assert (tmp_path / "session").stat().st_mode & 0o777 == 0o600


def test_a_viewer_watches_one_call(server: RunningServer) -> None:
    """With a token for that call, made without a credential; a call that the app does not open is refused."""
    server.new_app("stage", anonymous_enabled=True, public_anonymous_cids=("livestream:*",))
    with (
        running_peer() as stage,
        grpc.insecure_channel(stage.target) as channel,
        livestream_viewer.viewer(server.target, "stage", "livestream:1") as client,
    ):
        token = client.token()
        read = read_access_token(token)
        assert (read.user_id, read.call_cids) == ("!anon", ("livestream:1",))
        stage.accepted = {token}
        assert list(livestream_viewer.watch(client, channel, "/peer.Echo/UnaryStream")) == [
            b"hello",
            b"watch",
            b"watch",
        ]
    with pytest.raises(PermissionDenied), livestream_viewer.viewer(server.target, "stage", "room:1"):
        pytest.fail("a call that is not open to everyone was watched")


def test_a_service_takes_calls_of_users(server: RunningServer, client: AuthClient) -> None:
    """By method: any user, an admin, whoever may see that livestream, everybody, and nobody; what is revoked ends."""

    def token(user: str = "sara", **fields: Any) -> str:
        return client.issue_token(IssueTokenRequest(api_key="dev", user=User(id=user), **fields)).token

    served = orders_service.serving(server.target, server.credential, "dev", "127.0.0.1:0")
    with served as address, grpc.insecure_channel(address) as channel:

        def call(method: str, shown: str = "", say: bytes = b"order 7") -> bytes | str:
            metadata = [("authorization", f"Bearer {shown}")] if shown else []
            try:
                if method == "Watch":
                    return b"".join(channel.unary_stream("/shop.v1.Orders/Watch")(say, metadata=metadata))  # type: ignore[arg-type]
                return channel.unary_unary(f"/shop.v1.Orders/{method}")(say, metadata=metadata)  # type: ignore[arg-type]
            except grpc.RpcError as error:
                return read_refusal(error).reason

        admin = client.issue_token(IssueTokenRequest(api_key="dev", user=User(id="ann", role="admin"))).token
        limited = token("tom", scope=TokenScope(call_cids=["livestream:1"]))
        sara = token()
        assert call("Get", sara) == b"order 7 of sara"
        assert [call("Cancel", each) for each in (sara, admin)] == ["ROLE_DENIED", b"cancelled order 7"]
        assert call("Watch", limited, b"livestream:1") == b"tom watches livestream:1"
        assert [call("Watch", limited, b"livestream:2"), call("Get", limited)] == ["SCOPE_DENIED"] * 2
        assert [call("Ping"), call("Get")] == [b"order 7", "TOKEN_MISSING"]
        assert [call("Forgotten", each) for each in (sara, admin)] == ["METHOD_WITHOUT_RULE"] * 2
        client.revoke_tokens(RevokeTokensRequest(api_key="dev", user_id="sara"))
        assert eventually(lambda: call("Get", sara), lambda said: said == "REVOKED") == "REVOKED"


def test_examples_run_as_programs(server: RunningServer, tmp_path: Path) -> None:
    """By the lines that their texts give; those that go on end well when they are told to."""
    server.new_app("stage", anonymous_enabled=True, public_anonymous_cids=("livestream:*",))
    environ = {"AUTHSVC_TARGET": server.target, "AUTHSVC_CREDENTIAL": server.credential, "AUTHSVC_API_KEY": "stage"}
    for line, said, how in (
        (["examples.livestream_viewer", "livestream:1"], "!anon may watch livestream:1", None),
        (["examples.orders_service", "127.0.0.1:0"], r"orders on 127.0.0.1:\d+", signal.SIGTERM),
        (["examples.worker", str(tmp_path / "session")], r"worked with a token of \d+ characters", signal.SIGINT),
    ):
        with started(line, environ) as program:
            assert program.stdout is not None
            assert re.fullmatch(said, program.stdout.readline().strip())
            if how is not None:
                program.send_signal(how)
            rest, complaints = program.communicate(timeout=PATIENCE)
            assert (program.returncode, complaints) == (0, ""), rest


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (["examples.worker", "file"], "AUTHSVC_TARGET and AUTHSVC_CREDENTIAL"),
        (["examples.orders_service", "127.0.0.1:0"], "AUTHSVC_TARGET and AUTHSVC_CREDENTIAL"),
        (["examples.livestream_viewer", "livestream:1"], "AUTHSVC_TARGET"),
    ],
)
def test_what_is_missing_is_named(server: RunningServer, line: list[str], named: str) -> None:
    """A variable that is not set, then the argument, each in one line."""
    with started(line, {}) as program:
        assert program.communicate(timeout=PATIENCE) == ("", f"set {named}: examples/README.md says how\n")
        assert program.returncode == 1
    environ = {"AUTHSVC_TARGET": server.target, "AUTHSVC_CREDENTIAL": server.credential}
    with started(line[:1], environ) as program:
        said, complaint = program.communicate(timeout=PATIENCE)
        assert (program.returncode, said, complaint.partition(" ")[0], complaint.count("\n")) == (1, "", "give", 1)


def test_a_call_that_is_not_open_is_said_to_be(server: RunningServer) -> None:
    """The viewer ends with the reason, and no traceback."""
    environ = {"AUTHSVC_TARGET": server.target}
    with started(["examples.livestream_viewer", "livestream:1"], environ) as program:
        said, complaint = program.communicate(timeout=PATIENCE)
        assert (program.returncode, complaint) == (1, "")
        assert said == "livestream:1 is not open to everyone in the app dev: SCOPE_NOT_PUBLIC\n"


@contextmanager
def started(line: Sequence[str], environ: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A program of the examples, which is ended if it did not end."""
    command, pipe = [sys.executable, "-m", *line], subprocess.PIPE
    program = subprocess.Popen(
        command, cwd=ROOT, env=dict(environ), stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
    )
    try:
        yield program
    finally:
        program.kill()
        program.communicate()


def test_every_example_is_listed() -> None:
    """The page in the folder names each program that is there."""
    page = (ROOT / "examples" / "README.md").read_text()
    assert set(re.findall(r"\]\((\w+\.py)\)", page)) == {path.name for path in (ROOT / "examples").glob("*.py")}
