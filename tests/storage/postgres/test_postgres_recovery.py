"""Servers that restart, crash and throw everybody out: the store goes on, and nothing acknowledged is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import pytest

from authsvc.clock import deadline_after, system_clock
from authsvc.errors import DeadlinePassed, Reason, Unavailable
from authsvc.model import Session
from authsvc.storage import open_store
from authsvc.storage.base import Store
from authsvc.storage.errors import StoreInUse
from authsvc.storage.postgres import PostgresStore
from tests.storage.crowd import Background
from tests.storage.places import PostgresPlace, SettableClock
from tests.storage.postgres.conftest import Connection
from tests.storage.postgres.server import Server
from tests.storage.postgres.waiting import eventually
from tests.storage.records import keep_session, now_kept, turn

REFRESHERS = 8


class Refresher:
    """Turns one session again and again, as a client does: an answer that was lost is found out about."""

    def __init__(self, store: Store, session: Session) -> None:
        self.acknowledged = session.generation
        self.last_success = time.monotonic()
        self.refused = 0
        self.lost: list[str] = []
        self._store = store
        self._session = session
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        at = self.acknowledged
        while not self._ended.is_set():
            try:
                turned = turn(self._store, self._session, at)
                if turned is None:  # an earlier turn was kept, but its answer was lost
                    at = now_kept(self._store, self._session).generation
                    if not self.acknowledged <= at <= self.acknowledged + 1:
                        self.lost.append(f"acknowledged {self.acknowledged}, found {at}")
                else:
                    at = turned.generation
                self.acknowledged, self.last_success = at, time.monotonic()
            except (Unavailable, DeadlinePassed):
                self.refused += 1
                self._ended.wait(0.01)


Refreshing = Callable[[Store], list[Refresher]]


@pytest.fixture
def refreshing(clock: SettableClock) -> Iterator[Refreshing]:
    """Refreshers on a store, until the test ends."""
    running: list[Refresher] = []

    def start(store: Store) -> list[Refresher]:
        running.extend(Refresher(store, keep_session(store)) for _ in range(REFRESHERS))
        return running

    yield start
    for refresher in running:
        refresher.end()


def all_succeeded_since(refreshers: list[Refresher], moment: float) -> bool:
    """Whether every refresher has been acknowledged something since then."""
    return all(refresher.last_success > moment for refresher in refreshers)


def stop_and_start(server: Server, mode: str) -> None:
    """Restart the server."""
    server.stop(mode)
    server.start()


def throw_out(server: Server, database: str) -> None:
    """End all sessions of the store."""
    with server.connect(database) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM ({OURS}) AS ours")  # noqa: S608 - a constant


def sessions(server: Server, database: str) -> set[int]:
    """The server's processes that serve the store."""
    with server.connect(database) as connection:
        return {pid for (pid,) in connection.execute(OURS)}


OURS: Final = "SELECT pid FROM pg_stat_activity WHERE application_name = 'authsvc' AND datname = current_database()"

DISASTERS: dict[str, Callable[[Server, str], object]] = {
    "restart": lambda server, _: stop_and_start(server, "fast"),
    "crash": lambda server, _: stop_and_start(server, "immediate"),
    "all thrown out": throw_out,
}


@pytest.mark.parametrize("disaster", DISASTERS)
def test_refreshers_survive(
    place: PostgresPlace, clock: SettableClock, postgres_server: Server, refreshing: Refreshing, disaster: str
) -> None:
    """After a disaster under load every client is served again within seconds, and nothing acknowledged is lost."""
    store = place.open(clock=clock)
    refreshers = refreshing(store)
    eventually(lambda: all(refresher.acknowledged > 3 for refresher in refreshers))
    before = sessions(postgres_server, place.database)
    DISASTERS[disaster](postgres_server, place.database)
    over = time.monotonic()
    eventually(partial(all_succeeded_since, refreshers, over))
    assert time.monotonic() - over < 10
    for refresher in refreshers:
        refresher.end()
    assert [lost for refresher in refreshers for lost in refresher.lost] == []
    assert len(before) > 1
    assert not before & sessions(postgres_server, place.database)  # it did happen to each of them


def test_while_there_is_no_server_the_caller_hears_so(
    place: PostgresPlace, clock: SettableClock, postgres_server: Server
) -> None:
    """While the server is stopped, calls, health checks and new stores get UNAVAILABLE in time, with what is known."""
    store = place.open(clock=clock)
    session = keep_session(store)
    postgres_server.stop()
    try:
        for call in (partial(turn, store, session), store.ping, partial(store.session_state, session.id)):
            begun = time.monotonic()
            with pytest.raises(Unavailable) as refusal:
                call()
            assert time.monotonic() - begun < 8
            assert refusal.value.reason is Reason.STORE_UNAVAILABLE
            assert refusal.value.detail in {
                "OperationalError (connection refused) (no connection)",
                "OperationalError (no socket there) (no connection)",
            }
            assert refusal.value.retry_after is not None
            assert refusal.value.retry_after.total_seconds() == 1
        with pytest.raises(Unavailable) as refusal:
            place.open(clock=clock)
        assert refusal.value.detail in {
            "OperationalError (connection refused)",
            "OperationalError (no socket there)",
        }
    finally:
        postgres_server.start()
    begun = time.monotonic()
    eventually(partial(answers, store))
    assert time.monotonic() - begun < 10
    assert turn(store, session) is not None


def answers(store: Store) -> bool:
    """Whether a health check succeeds."""
    try:
        store.ping()
    except Unavailable:
        return False
    return True


def test_a_lock_that_was_lost_is_shared_again(place: PostgresPlace, postgres_server: Server) -> None:
    """After a restart nobody gets the store alone while a server uses it, without anybody doing anything."""
    store = open_store(place.url, clock=system_clock)
    session = keep_session(store)
    stop_and_start(postgres_server, "fast")
    eventually(partial(answers, store))
    assert now_kept(store, session) == session
    with pytest.raises(StoreInUse, match="is in use"):
        open_store(place.url, clock=system_clock, exclusive=True)
    store.close()


@pytest.mark.parametrize("restored", [False, True])
def test_who_lost_the_lock_to_another(place: PostgresPlace, raw: Connection, restored: bool) -> None:
    """While somebody has the store alone this one refuses; it goes on afterwards only if the epoch is the same."""
    store = open_store(place.url, clock=system_clock)
    session = keep_session(store)
    other = taken_over(place, raw)
    eventually(lambda: "has the database for himself" in refusal_of(store))
    if restored:
        raw.execute("UPDATE meta SET epoch = epoch + 1")
    other.close()
    if restored:
        eventually(lambda: "was restored: start this one again" in refusal_of(store))
    else:
        eventually(partial(answers, store))
        assert now_kept(store, session) == session
    store.close()


def test_a_lock_that_cannot_be_shared_holds_nobody_beyond_his_deadline(place: PostgresPlace, raw: Connection) -> None:
    """While a lost lock is about to be shared again a call waits for that, and ends with its deadline."""
    store = open_store(place.url, clock=system_clock)
    with raw.transaction():
        raw.execute("LOCK TABLE meta")  # what is read under the lock
        throw_out_holders(raw)
        with pytest.raises(Unavailable) as refusal:
            store.ping(deadline=deadline_after(0.1))
        assert refusal.value.detail == "the lock on the store was lost"
    eventually(partial(answers, store))
    store.close()


def test_who_had_the_store_alone_does_not_get_it_back(place: PostgresPlace, raw: Connection) -> None:
    """A lock that is held alone is not taken again: another may have been there meanwhile."""
    alone = open_store(place.url, clock=system_clock, exclusive=True)
    alone.ping()
    throw_out_holders(raw)
    assert refusal_of(alone) == refusal_of(alone) == "the lock on the store was lost"
    place.open(clock=system_clock).ping()
    alone.close()


def refusal_of(store: Store) -> str:
    """What a health check is refused with; empty where it is not."""
    try:
        store.ping()
    except Unavailable as refusal:
        return refusal.detail
    return ""


def throw_out_holders(raw: Connection) -> None:
    """End the sessions that hold the lock on the store."""
    raw.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )


def taken_over(place: PostgresPlace, raw: Connection) -> Store:
    """One who needs the store alone, and was faster when the lock was lost."""
    while True:
        opening = Background(partial(open_store, place.url, clock=system_clock, exclusive=True))
        throw_out_holders(raw)
        if not isinstance(other := opening.outcome(), StoreInUse):
            assert isinstance(other, PostgresStore)
            return other
