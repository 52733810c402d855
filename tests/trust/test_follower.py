"""The follower: looks when there is a hint and in any case, says once when it cannot, and stops when it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from authsvc.clock import deadline_after
from authsvc.errors import Reason, Unavailable
from authsvc.model import ApiKey, AppSettings, TokenId
from authsvc.storage.base import Store
from authsvc.trust.follower import Follower
from tests.conftest import HandClock
from tests.trust.test_looks import until
from tests.trust.ticks import Ticks
from tests.trust.workers import ACME, SARA, OpenWorker, Worker, opening


class Engine:
    """A store whose feed cannot be read while something is wrong with it; it gives hints when the test says so."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fault: Exception | None = None
        self.deaf = False
        self.looks = 0
        self.waits: list[float] = []
        self.hint = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def changes_since(self, *arguments: Any, **options: Any) -> Any:
        self.looks += 1
        if self.fault is not None:
            raise self.fault
        return self._store.changes_since(*arguments, **options)

    def await_hint(self, seconds: float) -> None:
        self.waits.append(seconds)
        if self.deaf:
            raise RuntimeError("no hints")
        self.hint.wait(20)
        self.hint.clear()


@pytest.fixture
def ticks() -> Ticks:
    """A monotonic clock that is moved by hand."""
    return Ticks()


@pytest.fixture
def worker(open_worker: OpenWorker, ticks: Ticks) -> Worker:
    """A worker with an app, on that clock."""
    worker = open_worker(monotonic=ticks)
    worker.make_app()
    return worker


@pytest.fixture
def engine(worker: Worker) -> Engine:
    """The worker's store, with what can be wrong."""
    return Engine(worker.domain.store)


@pytest.fixture
def follower(worker: Worker, engine: Engine, clock: HandClock) -> Iterator[Follower]:
    """A follower of that store."""
    domain = worker.domain
    domain.feed._store = cast(Store, engine)
    follower = Follower(
        cast(Store, engine),
        domain.feed,
        domain.view,
        domain.freshness,
        domain.logs.get_logger("trust"),
        forgets_by=clock,
    )
    yield follower
    engine.hint.set()
    follower.stop()


def test_it_looks_at_each_hint(worker: Worker, other: Worker, engine: Engine, follower: Follower) -> None:
    """What another worker changed is seen when the store says that there is something, and the wait is bounded."""
    follower.start()
    until(lambda: len(engine.waits) == 1)
    other.revoke()
    assert worker.domain.view.revoked(ACME).mark_of(SARA) is None
    engine.hint.set()
    until(lambda: worker.domain.view.revoked(ACME).mark_of(SARA) is not None)
    assert set(engine.waits) == {0.25}


def test_how_far_behind_it_was_is_said_at_debug(worker: Worker, other: Worker, follower: Follower) -> None:
    """Others' commits with how many there were and since when nobody had looked; at trace also that there are none."""
    worker.domain.logs.configure_levels({"trust": "trace"})
    follower.look()
    worker.log.clear()
    for _ in range(2):
        other.revoke()
    follower.look()
    follower.look()
    assert ("DEBUG", "commits of others followed") in worker.said()
    (followed,) = [event for _, message, event in worker.log if message == "commits of others followed"]
    assert followed["count"] == 2
    assert followed["revision"] == worker.domain.view.revision
    assert followed["behind_ms"] >= 0
    assert worker.said()[-1] == ("TRACE", "nothing to follow")


def test_what_was_learnt_is_said_at_debug(worker: Worker, follower: Follower) -> None:
    """Also of this process's own commits, and what kinds of things they were about."""
    worker.domain.logs.configure_levels({"trust": "debug"})
    worker.log.clear()
    revision = worker.revoke()
    known = [event for _, message, event in worker.log if message == "changes are known"]
    assert known
    assert {(event["revision"], event["count"], event["detail"]) for event in known} == {(revision, 1, "Watermark")}


def test_loss_and_recovery_are_said_once(worker: Worker, engine: Engine, follower: Follower) -> None:
    """However often the store cannot be read, the log has one line; and one when it can be read again."""
    for fault in (Unavailable(Reason.STORE_UNAVAILABLE, detail="cut"), RuntimeError("canary: nobody foresaw this")):
        engine.fault = fault
        assert [follower.look() for _ in range(3)] == [False] * 3
        engine.fault = None
        assert [follower.look() for _ in range(3)] == [True] * 3
    change = [("ERROR", "changes cannot be read"), ("INFO", "changes are read again")]
    assert worker.said() == change * 2
    assert [line[2].get("reason") for line in worker.log if line[2]["scope"] == "trust"][::2] == [
        "STORE_UNAVAILABLE",
        "INTERNAL",
    ]
    assert "canary" not in str(worker.log)


def test_its_thread_survives_a_store_that_fails(
    worker: Worker, other: Worker, engine: Engine, follower: Follower
) -> None:
    """It tries again and again, without waiting for a hint, and goes on when the store does."""
    engine.fault = Unavailable(Reason.STORE_UNAVAILABLE)
    follower.start()
    until(lambda: engine.looks >= 4)
    assert engine.waits == []
    other.revoke()
    engine.fault = None
    until(lambda: worker.domain.view.revoked(ACME).mark_of(SARA) is not None)


def test_without_hints_it_looks_all_the_same(worker: Worker, other: Worker, engine: Engine, follower: Follower) -> None:
    """Whatever waiting for a hint does, the thread lives and looks again after a while."""
    engine.deaf = True
    follower.start()
    until(lambda: len(engine.waits) == 1)
    other.revoke()
    until(lambda: worker.domain.view.revoked(ACME).mark_of(SARA) is not None)


def test_memory_becomes_stale_while_the_store_cannot_be_read(
    worker: Worker, engine: Engine, follower: Follower, ticks: Ticks
) -> None:
    """Looks that fail keep nothing fresh; the first that succeeds does, from its own beginning."""
    freshness = worker.domain.freshness
    freshness.follow()
    engine.fault = Unavailable(Reason.STORE_UNAVAILABLE)
    for _ in range(6):
        ticks.move(1)
        follower.look()
    told = [freshness.stale]
    engine.fault = None
    follower.look()
    assert [*told, freshness.stale] == [True, False]
    assert freshness.as_of == worker.clock()


def test_it_is_fresh_from_its_start_on_and_stops_at_once(worker: Worker, follower: Follower) -> None:
    """Starting begins to count; stopping ends the thread, and stopping twice is harmless."""
    follower.start()
    assert not worker.domain.freshness.stale
    threads = [thread.name for thread in threading.enumerate()]
    assert "authsvc-follower" in threads
    engine = cast(Engine, follower._store)
    until(lambda: len(engine.waits) == 1)
    engine.hint.set()
    follower.stop()
    follower.stop()
    assert not follower._thread.is_alive()


def test_a_worker_that_is_closed_has_no_thread_left(tmp_path: Path, clock: HandClock) -> None:
    """With the domain its follower ends."""
    with opening(tmp_path, clock) as open_one:
        follower = open_one().domain.follower
        follower.start()
        assert follower._thread.is_alive()
    assert not follower._thread.is_alive()


def test_it_forgets_what_no_longer_matters_once_an_hour(worker: Worker, follower: Follower, clock: HandClock) -> None:
    """Each hour the view is pruned, by the wall clock in whichever direction it goes."""
    store = worker.domain.store
    store.revoke_token(ACME, TokenId("t"), clock().replace(minute=30), worker.event())
    follower.look()
    assert worker.domain.view.count_revoked() == 1
    clock.move(minutes=59)
    follower.look()
    assert worker.domain.view.count_revoked() == 1
    clock.move(minutes=1)
    follower.look()
    assert worker.domain.view.count_revoked() == 0


class TestWithTheRealEngine:
    """The thread over a real store, with the engine's own hints."""

    def test_it_follows_another_worker(self, open_worker: OpenWorker) -> None:
        """A change of another worker arrives by itself."""
        first, second = open_worker(), open_worker()
        first.make_app()
        first.domain.follower.start()
        second.domain.apps.create_as("test", ApiKey("beta"), AppSettings())
        until(lambda: first.domain.view.app(ApiKey("beta")) is not None)
        assert first.domain.view.revision == second.domain.store.trust_state().revision

    def test_a_caller_that_asks_need_not_wait_for_the_thread(self, open_worker: OpenWorker) -> None:
        """While the thread waits for a hint, a look on demand is made at once, by the one who asks."""
        first, second = open_worker(), open_worker()
        first.make_app()
        second.domain.follower.start()
        first.revoke()
        second.domain.follower.looks.catch_up(deadline=deadline_after(10))
        assert second.domain.view.revoked(ACME).mark_of(SARA) is not None
