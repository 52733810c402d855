"""Every block of docs/client.md runs, in order and as it stands, and prints what it says."""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import authsvc.client
from authsvc.clock import system_clock
from examples import orders_service
from tests.conftest import HandClock, RunningServer

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "client.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SEED_NAMES = (
    "static", "closure", "development", "guest", "anonymous", "tokenLoader", "tokenProvider", "onTokenUpdated",
    "getOrCreateInstance", "connectUser", "disconnectUser", "onConnectUserError", "maxConnectUserRetries",
    "autoConnect", "configureLoggers", "restoreDefaults", "logOptions", "StreamVideo", "StreamVideoClient",
    "ChatClient", "failIfSingletonExists", "includeUserDetails", "Sink",
    "currentUser", "StreamVideo.instance", "getDataOrNull", "connect", "LogLevel", "Priority", "logPriority",
    "retryPolicy", "RetryPolicy", "StreamVideoOptions", "options", "includeUserDetailsForAutoConnect", "coordinator",
    "event-dispatcher", "api-client", "generateUserToken", "apiSecret", "rejectCallWhenBusy", "devicePersistence",
    "pushNotificationManagerProvider", "sdpPolicy",
)  # fmt: skip


@pytest.fixture
def clock() -> HandClock:
    """The server's clock begins at the time that the page sees, which has no other."""
    return HandClock(system_clock())


@pytest.fixture
def surroundings(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment of a reader: a development server, and the orders service of the examples."""
    with orders_service.serving(server.target, server.credential, "dev", "127.0.0.1:0") as orders:
        environ = {
            "AUTHSVC_TARGET": server.target,
            "AUTHSVC_CREDENTIAL": server.credential,
            "ORDERS_TARGET": orders,
        }
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        yield


def promised(block: str) -> list[str]:
    """What the lines of a block say that they print."""
    return re.findall(r"# → (.*)$", block, re.MULTILINE)


def fits(said: str, promise: str) -> bool:
    """Whether a line is what was promised; ``…`` stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, promise.split("…"))), said) is not None


def test_every_block_runs_and_prints_what_it_says(surroundings: None) -> None:
    """In one namespace, as a reader goes through the page."""
    namespace: dict[str, Any] = {}
    for _, block in BLOCKS:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(block, "docs/client.md", "exec"), namespace)  # noqa: S102 - what the page says is run
        said, promises = output.getvalue().splitlines(), promised(block)
        assert len(said) == len(promises), (said, promises)
        assert [(line, promise) for line, promise in zip(said, promises, strict=True) if not fits(line, promise)] == []
    for name in ("auth", "orders"):
        namespace[name].close()


def test_a_wrong_promise_would_be_noticed() -> None:
    """The control: other text does not fit, and a line without its promise is counted."""
    assert not fits("b", "a")
    assert not fits("guest jack", "guest guest-…-jack")
    assert fits("guest guest-1-jack", "guest guest-…-jack")
    assert promised("print(1)  # → 1\nprint(2)\n") == ["1"]


def test_every_block_is_run() -> None:
    """There is no block in another language that nobody runs, and each shows something."""
    assert {language for language, _ in BLOCKS} == {"python"}
    assert all(promised(block) for _, block in BLOCKS)


def test_the_names_on_the_page_are_there() -> None:
    """What blocks take from the client exists; the errors that are named exist, and all that it offers are named."""
    for _, block in BLOCKS:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module == "authsvc.client":
                assert all(alias.name in authsvc.client.__all__ for alias in node.names)
    table = PAGE.partition("## What can go wrong")[2].partition("\n## ")[0]
    named = {name for name in re.findall(r"`([A-Z]\w+)`", table) if not name.isupper()}
    assert named <= {*authsvc.client.__all__, *dir(builtins)}
    offered = {name: getattr(authsvc.client, name) for name in authsvc.client.__all__}
    errors = {name for name, each in offered.items() if isinstance(each, type) and issubclass(each, Exception)}
    assert errors <= named


def test_every_seed_name_has_its_row() -> None:
    """The table has each name that users of the seed SDKs look for, with an answer."""
    table = PAGE.partition("## If you come from a seed SDK")[2]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:2] == "| "]
    assert all(len(row) == 2 and all(row) for row in rows)
    there = " ".join(row[0] for row in rows)
    assert [name for name in SEED_NAMES if not re.search(rf"\b{re.escape(name)}\b", there)] == []


def test_the_page_takes_ten_minutes() -> None:
    """At 200 words a minute, tables included; its code is there to be tried."""
    text = re.sub(r"^```\w*\n.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert len(re.findall(r"\w+", text)) <= 2000
