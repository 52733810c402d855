"""Hints that others committed: what they come from, what they cost, and what happens when they are cut."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from psycopg.errors import CheckViolation

from authsvc.model import Revision
from authsvc.storage.base import Store
from authsvc.storage.postgres import open_postgres
from tests.storage.crowd import Background
from tests.storage.places import PostgresPlace, SettableClock
from tests.storage.postgres.conftest import Connection
from tests.storage.postgres.server import Server
from tests.storage.postgres.waiting import eventually
from tests.storage.postgres.wire import Wire
from tests.storage.records import APP, SARA, an_audit, keep_app, keep_session, turn

LONG = 60.0
LISTENING = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'authsvc (listening)' AND datname = current_database()"
)


@pytest.fixture
def other(place: PostgresPlace, clock: SettableClock) -> Store:
    """A second store on the same data."""
    return place.open(clock=clock)


def listeners(connection: Connection) -> set[object]:
    """The server's processes that somebody listens with."""
    return {pid for (pid,) in connection.execute(LISTENING)}


def begin_to_listen(store: Store, connection: Connection) -> None:
    """Have the store listen, and take the hints that it gives for having begun."""
    store.await_hint(0)
    eventually(lambda: listeners(connection))
    until_quiet(store)


def until_quiet(store: Store) -> None:
    """Take hints until there are no more."""
    while hinted(store, 0.3):
        pass


def hinted(store: Store, seconds: float) -> bool:
    """Whether waiting ended before its time."""
    begun = time.monotonic()
    store.await_hint(seconds)
    return time.monotonic() - begun < seconds


def test_nobody_listens_who_does_not_wait(store: Store, raw: Connection) -> None:
    """A store opens its connection for hints when somebody waits for the first time, and it has a name of its own."""
    keep_app(store)
    assert listeners(raw) == set()
    store.await_hint(LONG)
    eventually(lambda: len(listeners(raw)) == 1)
    store.close()
    eventually(lambda: listeners(raw) == set())


def test_own_commits_are_no_hint(store: Store, other: Store, raw: Connection) -> None:
    """A store is not woken by what it committed itself, but by the next commit of another."""
    begin_to_listen(store, raw)
    keep_app(store)
    assert not hinted(store, 0.3)
    waiting = Background(lambda: hinted(store, LONG))
    other.raise_watermark(APP, SARA, an_audit())
    assert waiting.outcome() is True


def test_what_was_undone_is_no_hint(store: Store, other: Store, raw: Connection) -> None:
    """A change that failed after its number was taken wakes nobody; the same change that is kept does."""
    keep_app(other)
    begin_to_listen(store, raw)
    raw.execute("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE SQLSTATE '23514'; END$$")
    raw.execute(
        "CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON audit DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION fail()"
    )
    with pytest.raises(CheckViolation, match="fail"):
        other.raise_watermark(APP, SARA, an_audit())
    assert not hinted(store, 0.3)
    raw.execute("DROP TRIGGER fail ON audit")
    other.raise_watermark(APP, SARA, an_audit())
    assert hinted(store, LONG)


def test_stores_side_by_side_do_not_wake_each_other(postgres_server: Server, clock: SettableClock) -> None:
    """Two schemas of one database are two stores: one's commits are no hint for the other."""
    with postgres_server.empty() as name, postgres_server.connect(name) as connection:
        urls = [f"{postgres_server.url(name)}&options=-csearch_path%3D{schema}" for schema in ("one", "two")]
        connection.execute("CREATE SCHEMA one")
        connection.execute("CREATE SCHEMA two")
        one, two = (open_postgres(url, exclusive=False, migrate=True, present=clock) for url in urls)
        with closing(one), closing(two), closing(open_postgres(urls[0], exclusive=False, present=clock)) as follower:
            begin_to_listen(follower, connection)
            keep_app(two)
            assert not hinted(follower, 0.3)
            keep_app(one)
            assert hinted(follower, LONG)


def test_a_connection_that_was_cut_is_opened_again(store: Store, other: Store, raw: Connection) -> None:
    """When its connection is cut the waiting ends, for much may have been missed; later commits are heard again."""
    keep_app(other)
    begin_to_listen(store, raw)
    (before,) = listeners(raw)
    waiting = Background(lambda: hinted(store, LONG))
    raw.execute("SELECT pg_terminate_backend(%s, 5000)", (before,))
    assert waiting.outcome() is True
    eventually(lambda: listeners(raw) - {before})
    until_quiet(store)
    waiting = Background(lambda: hinted(store, LONG))
    other.raise_watermark(APP, SARA, an_audit())
    assert waiting.outcome() is True


def test_waiting_while_there_is_no_server(
    place: PostgresPlace, store: Store, other: Store, raw: Connection, postgres_server: Server
) -> None:
    """Without a server waiting ends with its time, and raises nothing; with one again hints come again."""
    keep_app(other)
    begin_to_listen(store, raw)
    postgres_server.stop()
    try:
        for _ in range(5):
            begun = time.monotonic()
            store.await_hint(0.2)
            assert time.monotonic() - begun < 2
    finally:
        postgres_server.start()
    with postgres_server.connect(place.database) as connection:
        eventually(lambda: listeners(connection))
        until_quiet(store)
        waiting = Background(lambda: hinted(store, LONG))
        other.raise_watermark(APP, SARA, an_audit())
        assert waiting.outcome() is True


@pytest.fixture
def deaf(postgres_server: Server, place: PostgresPlace, clock: SettableClock) -> Iterator[Callable[[bool], Store]]:
    """Open a store behind a network that passes notifications on, or does not."""
    opened: list[Wire | Store] = []

    def open_it(notifications: bool) -> Store:
        wire = Wire(postgres_server.socket, notifications=notifications)
        url = f"postgresql://postgres@127.0.0.1:{wire.port}/{place.database}?sslmode=disable&gssencmode=disable"
        store = open_postgres(url, exclusive=False, present=clock)
        opened.extend([wire, store])
        return store

    yield open_it
    for each in reversed(opened):
        each.close()


@pytest.mark.parametrize("notifications", [True, False])
def test_without_hints_the_feed_is_there(
    store: Store, raw: Connection, deaf: Callable[[bool], Store], notifications: bool
) -> None:
    """Where notifications get lost no hint comes, and looking finds the change all the same."""
    follower = deaf(notifications)
    revision = keep_app(store).revision
    begin_to_listen(follower, raw)
    later = store.raise_watermark(APP, SARA, an_audit())
    assert hinted(follower, 0.3) is notifications
    page = follower.changes_since(Revision(revision))
    assert page is not None
    assert [commit.revision for commit in page.commits] == [later]


def test_sessions_tell_nobody(store: Store, other: Store, raw: Connection) -> None:
    """What writes no feed sends no notification, neither a session that begins or turns: only a revision is told."""
    keep_app(other)
    begin_to_listen(store, raw)
    assert turn(other, keep_session(other)) is not None
    other.purge(limit=100, keep_revisions=0)
    assert not hinted(store, 0.3)
    other.raise_watermark(APP, SARA, an_audit())
    assert hinted(store, LONG)
