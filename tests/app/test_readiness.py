"""Health tells the truth about the store: looked at, not believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from authsvc.app.readiness import Readiness
from authsvc.errors import Reason, Unavailable
from authsvc.storage.base import Store
from tests.conftest import RunningServer


class FailingStore:
    """A store that answers a ping only while nothing is wrong with it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fault: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        if self.fault is not None:
            raise self.fault
        return getattr(self._store, name)


@pytest.fixture
def store(server: RunningServer) -> FailingStore:
    """The server's store, which can be made to fail."""
    return FailingStore(server.domain.store)


@pytest.fixture
def readiness(server: RunningServer, store: FailingStore) -> Readiness:
    """What looks at that store for the server's health; it looks when the test says so."""
    log = server.domain.logs.get_logger("storage")
    server.rpc.health.set_serving(False)
    return Readiness(cast(Store, store), server.domain.freshness, server.rpc.health, log)


def told(server: RunningServer) -> list[tuple[str, str, str]]:
    """What the log says about the store: level, message, reason."""
    lines = map(json.loads, server.log.getvalue().splitlines())
    return [(line["level"], line["message"], line.get("reason", "")) for line in lines if line["scope"] == "storage"]


def test_a_store_that_answers_makes_it_serving(server: RunningServer, readiness: Readiness) -> None:
    """One look is enough, and the log says so once."""
    for _ in range(3):
        readiness.look()
        assert server.rpc.health.serving
    assert told(server) == [("info", "store answers", "")]


def test_a_closed_store_makes_it_not_serving(server: RunningServer, readiness: Readiness) -> None:
    """The real store, closed under the server."""
    readiness.look()
    server.domain.store.close()
    readiness.look()
    assert not server.rpc.health.serving
    assert told(server)[-1] == ("error", "store does not answer", "STORE_UNAVAILABLE")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Unavailable(Reason.STORE_UNAVAILABLE, detail="SQLITE_IOERR"), "STORE_UNAVAILABLE"),
        (RuntimeError("canary: nobody foresaw this"), "INTERNAL"),
    ],
    ids=["a fault of the store", "a bug"],
)
def test_a_store_that_fails_and_recovers_is_followed(
    server: RunningServer, store: FailingStore, readiness: Readiness, fault: Exception, reason: str
) -> None:
    """NOT_SERVING while it fails, whatever the fault; SERVING when it answers again; each change is logged once."""
    readiness.look()
    for _ in range(3):
        store.fault = fault
        readiness.look()
        readiness.look()
        assert not server.rpc.health.serving
        store.fault = None
        readiness.look()
        assert server.rpc.health.serving
    change = [("error", "store does not answer", reason), ("info", "store answers", "")]
    assert told(server) == [("info", "store answers", ""), *change * 3]
    assert "canary" not in server.log.getvalue()


def test_the_first_look_comes_before_the_start_is_over(server: RunningServer, readiness: Readiness) -> None:
    """The first health check is right already; a stopped readiness looks no more."""
    readiness.start()
    assert server.rpc.health.serving
    readiness.stop()
    server.rpc.health.set_serving(False)
    assert not server.rpc.health.serving


@pytest.mark.parametrize("look_after", [Readiness.look, Readiness.start])
def test_a_server_that_ends_is_never_serving_again(
    server: RunningServer, readiness: Readiness, look_after: Callable[[Readiness], None]
) -> None:
    """A look at a healthy store during the lame duck changes nothing, and says nothing new."""
    readiness.look()
    server.rpc.health.shut_down()
    look_after(readiness)
    readiness.stop()
    assert not server.rpc.health.serving
    assert told(server) == [("info", "store answers", "")]
