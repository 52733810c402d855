"""Transactions that a rival makes the server undo are done again, within bounds; waiting ends with the deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from psycopg import errors

from authsvc.clock import deadline_after, wait_for
from authsvc.errors import DeadlinePassed, Unavailable
from authsvc.model import App, Commit, Session
from authsvc.storage.base import Store
from authsvc.storage.batches import Unobserved
from authsvc.storage.postgres import open_postgres
from authsvc.storage.postgres.database import SETTINGS
from authsvc.storage.postgres.links import SIZE
from tests.storage.crowd import Background, Held, all_at_once
from tests.storage.places import PostgresPlace, SettableClock
from tests.storage.postgres.conftest import Connection
from tests.storage.postgres.test_commit_order import waiters
from tests.storage.postgres.waiting import eventually
from tests.storage.records import APP, SARA, an_audit, keep_app, keep_session, now_kept, turn

OpenWith = Callable[..., Store]
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def open_with(place: PostgresPlace, clock: SettableClock) -> Iterator[OpenWith]:
    """Open a store whose sessions have other settings than usual."""
    opened: list[Store] = []

    def open_it(**settings: str) -> Store:
        store = open_postgres(place.url, exclusive=False, present=clock, settings={**SETTINGS, **settings})
        opened.append(store)
        return store

    yield open_it
    for store in opened:
        store.close()


def lengthen(app: App, made: list[int]) -> App:
    """Make a setting longer by a microsecond, and count how often that was tried."""
    made.append(1)
    return replace(app, longest_ttl_ever=app.longest_ttl_ever + MICROSECOND)


def test_a_serialization_failure_is_not_shown(open_with: OpenWith, raw: Connection, rival: Connection) -> None:
    """Where the server undoes whoever comes second (40001), as it does to a connection without help, both are kept."""
    store, tries = open_with(default_transaction_isolation="serializable"), list[int]()
    keep_app(store)
    edit = partial(lengthen, made=tries)
    held = Held()
    first = Background(partial(store.edit_app, APP, lambda app: edit(held(app)), an_audit()))
    held.wait_until_reached()
    second = Background(partial(store.edit_app, APP, edit, an_audit()))
    raw.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
    without_help = Background(lambda: raw.execute("SELECT FROM apps FOR UPDATE"))
    eventually(lambda: waiters(rival) == 2)
    held.release()
    assert isinstance(without_help.outcome(), errors.SerializationFailure)
    assert isinstance(first.outcome(), App)
    assert isinstance(second.outcome(), App)
    (app,) = store.trust_state().apps
    assert app.longest_ttl_ever == timedelta(hours=1) + 2 * MICROSECOND


def test_one_wins_however_transactions_are_isolated(open_with: OpenWith) -> None:
    """Of many that present one generation exactly one wins, where the server undoes the others too."""
    store = open_with(default_transaction_isolation="serializable")
    session = keep_session(store)
    outcomes = all_at_once([partial(turn, store, session)] * 16)
    assert sum(outcome is not None for outcome in outcomes) == 1
    assert outcomes.count(None) == 15


def test_a_deadlock_is_not_shown(open_with: OpenWith, raw: Connection, rival: Connection) -> None:
    """When the server undoes an edit to end a deadlock (40P01), the edit is made again and kept."""
    store, tries = open_with(deadlock_timeout="20ms"), list[int]()
    keep_app(store)
    raw.execute("SET deadlock_timeout = '20s'")  # so that it is the store's transaction that the server picks
    raw.execute("BEGIN")
    raw.execute("UPDATE feed_head SET revision = revision")
    held = Held()
    edit = Background(partial(store.edit_app, APP, lambda app: lengthen(held(app), tries), an_audit()))
    held.wait_until_reached()
    second = Background(lambda: raw.execute("UPDATE apps SET version = version"))  # waits for the edit's row
    eventually(lambda: waiters(rival) == 1)
    held.release()
    second.outcome()
    raw.execute("COMMIT")
    assert isinstance(edit.outcome(), App)
    assert len(tries) == 2


def always_failing(raw: Connection, table: str, code: str) -> None:
    """Make every change of a table fail with an SQLSTATE."""
    raw.execute(f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE SQLSTATE '{code}'; END$$")
    raw.execute(f"CREATE TRIGGER fail BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION fail()")


@pytest.mark.parametrize(("code", "name"), [("40001", "SerializationFailure"), ("40P01", "DeadlockDetected")])
def test_trying_again_has_an_end(store: Store, raw: Connection, code: str, name: str) -> None:
    """What is undone every time ends as UNAVAILABLE, within its deadline or after a number of attempts."""
    session = keep_session(store)
    always_failing(raw, "sessions", code)
    with pytest.raises(Unavailable) as refusal:
        turn(store, session, deadline=deadline_after(30))
    assert refusal.value.detail == f"{name} {code}"
    with pytest.raises((Unavailable, DeadlinePassed)):
        turn(store, session, deadline=deadline_after(0.05))
    raw.execute("DROP TRIGGER fail ON sessions")
    assert now_kept(store, session) == session
    assert turn(store, session) is not None


class Observer(Unobserved):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, str]] = []

    def undone(self, attempt: int, sql_state: str) -> None:
        self.heard.append((attempt, sql_state))


def test_what_a_rival_undid_is_told(place: PostgresPlace, clock: SettableClock, raw: Connection) -> None:
    """Each time that something is begun again the observer hears which attempt failed, and why."""
    observer = Observer()
    with closing(open_postgres(place.url, exclusive=False, present=clock, observer=observer)) as store:
        session = keep_session(store)
        assert observer.heard == []
        always_failing(raw, "sessions", "40P01")
        with pytest.raises(Unavailable):
            turn(store, session, deadline=deadline_after(30))
    assert observer.heard == [(attempt, "40P01") for attempt in range(1, 10)]


def test_nothing_is_begun_again_after_the_deadline(place: PostgresPlace, clock: SettableClock, raw: Connection) -> None:
    """What a rival undid when its deadline had passed is not begun a second time, and the caller hears what it was."""
    observer, tries = Observer(), list[int]()

    def until_too_late(app: App) -> App:
        wait_for(lambda seconds: threading.Event().wait(seconds), until=deadline)
        return lengthen(app, tries)

    with closing(open_postgres(place.url, exclusive=False, present=clock, observer=observer)) as store:
        keep_app(store)
        always_failing(raw, "apps", "40001")
        deadline = deadline_after(0.5)
        with pytest.raises(Unavailable) as refusal:
            store.edit_app(APP, until_too_late, an_audit(), deadline=deadline)
    assert refusal.value.detail == "SerializationFailure 40001"
    assert (len(tries), observer.heard) == (1, [])


def test_a_unit_is_begun_ten_times_at_most(store: Store, raw: Connection) -> None:
    """What rivals undo again and again is given up after ten attempts, however far its deadline is."""
    session = keep_session(store)
    raw.execute("CREATE SEQUENCE attempts")  # which no rollback takes back
    raw.execute(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN PERFORM nextval('attempts'); RAISE SQLSTATE '40001'; END$$"
    )
    raw.execute("CREATE TRIGGER fail BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION fail()")
    with pytest.raises(Unavailable):
        turn(store, session, deadline=deadline_after(30))
    assert raw.execute("SELECT last_value FROM attempts").fetchall() == [(10,)]


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        ("40001", "SerializationFailure 40001"),
        ("53100", "DiskFull 53100"),
        ("23514", None),
    ],
)
@pytest.mark.parametrize("change", [turn, lambda store, session: store.revoke_session(session.id, "x", an_audit())])
def test_what_fails_only_at_the_commit_is_not_acknowledged(
    store: Store, raw: Connection, code: str, refusal: str | None, change: Callable[[Store, Session], object]
) -> None:
    """A change that the server accepts and whose commit it then refuses is not acknowledged, nor made, nor told."""
    session, heard = keep_session(store), list[Commit]()
    store.listen(heard.append)
    raw.execute(f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE SQLSTATE '{code}'; END$$")
    raw.execute(
        "CREATE CONSTRAINT TRIGGER fail AFTER UPDATE ON sessions DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION fail()"
    )
    with pytest.raises(errors.CheckViolation if refusal is None else Unavailable) as fault:
        change(store, session)
    assert getattr(fault.value, "detail", None) == refusal
    assert now_kept(store, session) == session
    assert heard == []
    raw.execute("DROP TRIGGER fail ON sessions")
    assert change(store, session)


def test_our_own_mistakes_are_not_tried_again(store: Store, raw: Connection) -> None:
    """A broken constraint is a mistake of the program, not of the engine: it is raised as it is, at once."""
    session = keep_session(store)
    always_failing(raw, "sessions", "23514")
    with pytest.raises(errors.CheckViolation):
        turn(store, session)
    store.ping()


WAITING: dict[str, tuple[str, Callable[..., Any]]] = {
    "a session's row": ("SELECT FROM sessions FOR UPDATE", turn),
    "the feed's number": (
        "UPDATE feed_head SET revision = revision",
        lambda store, session, **late: store.raise_watermark(APP, SARA, an_audit(), **late),
    ),
    "an app's row": (
        "SELECT FROM apps FOR UPDATE",
        lambda store, session, **late: store.edit_app(APP, lambda app: app, an_audit(), **late),
    ),
    "a table": ("LOCK TABLE sessions", lambda store, session, **late: store.session_state(session.id, **late)),
}


@pytest.mark.parametrize("what", WAITING)
def test_waiting_ends_with_the_deadline(store: Store, raw: Connection, what: str) -> None:
    """A call that waits for a lock ends when its deadline passes, and changes nothing; without the lock it succeeds."""
    lock, call = WAITING[what]
    session = keep_session(store)
    before = store.trust_state()
    with raw.transaction():
        raw.execute(lock)
        begun = time.monotonic()
        with pytest.raises(DeadlinePassed):
            call(store, session, deadline=deadline_after(0.2))
        assert 0.15 < time.monotonic() - begun < 4.5  # not the 5 s of a call that names none
    assert store.trust_state() == before
    assert now_kept(store, session) == session
    call(store, session, deadline=deadline_after(30))


LONGER: dict[str, tuple[str, Callable[..., Any]]] = {
    "a turn, one statement": ("SELECT FROM sessions FOR UPDATE", turn),
    "a read, one statement": (
        "LOCK TABLE sessions",
        lambda store, session, **late: store.session_state(session.id, **late),
    ),
    "a revocation, several statements": (
        "SELECT FROM sessions FOR UPDATE",
        lambda store, session, **late: store.revoke_session(session.id, "x", an_audit(), **late),
    ),
}

LONGER_THAN_USUAL = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
    AND clock_timestamp() - query_start > '600ms'"""


@pytest.mark.parametrize("what", LONGER)
@pytest.mark.parametrize("limit", ["statement_timeout", "lock_timeout"])
def test_a_far_deadline_outlasts_the_sessions_limits(
    store: Store, open_with: OpenWith, raw: Connection, rival: Connection, what: str, limit: str
) -> None:
    """A call whose deadline is far waits for a lock for longer than calls that name none, and then succeeds."""
    lock, call = LONGER[what]
    session = keep_session(store)
    limited = open_with(**{limit: "400ms"})
    with raw.transaction():
        raw.execute(lock)
        waiting = Background(partial(call, limited, session, deadline=deadline_after(30)))
        eventually(lambda: waiting.over or rival.execute(LONGER_THAN_USUAL).fetchall() == [(1,)])
    assert not isinstance(waiting.outcome(), BaseException)
    assert waiting.outcome()


def test_a_slow_statement_ends_with_the_deadline(store: Store, raw: Connection) -> None:
    """A statement that runs on is ended by the server when the deadline passes, and its change is undone."""
    session = keep_session(store)
    raw.execute(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(60); RETURN NEW; END$$"
    )
    raw.execute("CREATE TRIGGER dawdle BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION dawdle()")
    begun = time.monotonic()
    with pytest.raises(DeadlinePassed):
        turn(store, session, deadline=deadline_after(0.2))
    assert 0.15 < time.monotonic() - begun < 4.5  # not the 5 s of a call that names none
    raw.execute("DROP TRIGGER dawdle ON sessions")
    assert now_kept(store, session) == session


def test_waiting_for_a_connection_ends_with_the_deadline(store: Store) -> None:
    """When all connections are in use, a call waits for one until its deadline; when one is free it succeeds."""
    held = Held()
    for number in range(SIZE):
        keep_app(store, f"app-{number}")
    edits = [Background(partial(store.edit_app, app.api_key, held, an_audit())) for app in store.trust_state().apps]
    held.wait_until_reached(SIZE)
    with pytest.raises(DeadlinePassed):
        store.ping(deadline=deadline_after(0.1))
    held.release()
    assert all(isinstance(edit.outcome(), App) for edit in edits)
    store.ping(deadline=deadline_after(30))
