"""Opening: the schema this program knows, a server that can keep it, alone or together."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial

import psycopg
import pytest

from authsvc.clock import deadline_after, system_clock
from authsvc.config import Settings
from authsvc.errors import Unavailable
from authsvc.storage import apply_missing, find_missing, open_store
from authsvc.storage.errors import (
    MigrationChanged,
    NotAStore,
    SchemaTooNew,
    SchemaTooOld,
    StoreInUse,
    StoreUnfit,
    Unreachable,
)
from authsvc.storage.migrate import Migration, shipped
from authsvc.storage.postgres.database import SETTINGS, Database, database_at
from authsvc.storage.postgres.schema import MIGRATING, apply_due, due
from tests.storage.crowd import Background, all_at_once
from tests.storage.places import PostgresPlace, SettableClock
from tests.storage.postgres.conftest import Connection
from tests.storage.postgres.server import Server
from tests.storage.postgres.waiting import eventually
from tests.storage.records import keep_app, keep_session, now_kept, turn

KNOWN = shipped("postgres")


@pytest.fixture
def empty(postgres_server: Server) -> Iterator[str]:
    """The address of a database with nothing in it."""
    with postgres_server.empty() as name:
        yield postgres_server.url(name)


def test_a_server_does_not_migrate_unasked(empty: str) -> None:
    """An empty database is refused with what to run, and left empty; with ``migrate`` it is brought up."""
    with pytest.raises(SchemaTooOld, match=f"version 0, this program needs {len(KNOWN)}: run `authsvc migrate`"):
        open_store(empty, clock=system_clock)
    assert find_missing(empty) == KNOWN
    open_store(empty, clock=system_clock, migrate=True).close()
    assert find_missing(empty) == ()
    open_store(empty, clock=system_clock).close()


def test_many_that_migrate_together(empty: str) -> None:
    """All that migrate one empty database at the same time succeed, and each migration is applied by one of them."""
    outcomes = all_at_once([partial(apply_missing, empty, clock=system_clock)] * 6)
    applied = [migration for outcome in outcomes if isinstance(outcome, tuple) for migration in outcome]
    assert sorted(applied, key=lambda migration: migration.number) == list(KNOWN)
    assert {type(outcome) for outcome in outcomes} == {tuple}
    with psycopg.connect(empty) as connection:
        recorded = connection.execute("SELECT number, name, sha256 FROM migrations ORDER BY number").fetchall()
    assert recorded == [(known.number, known.name, known.sha256) for known in KNOWN]


def test_a_migration_waits_for_another_however_long(empty: str) -> None:
    """Who migrates while another does waits for it, beyond the time any other statement may take."""
    database = database_at(empty, {**SETTINGS, "statement_timeout": "50ms", "lock_timeout": "50ms"})
    waits = "SELECT FROM pg_stat_activity WHERE wait_event = 'advisory' AND clock_timestamp() - query_start > '200ms'"
    with psycopg.connect(empty, autocommit=True) as other, closing(database.connect()) as link:
        other.execute("SELECT pg_advisory_lock(%s, hashtext(current_schema()))", (MIGRATING,))
        waiting = Background(partial(apply_due, link, KNOWN))
        eventually(lambda: other.execute(waits).fetchall())
        other.execute("SELECT pg_advisory_unlock_all()")
        assert waiting.outcome() == KNOWN


def test_a_later_migration_is_applied_to_what_is_there(place: PostgresPlace, database: Database) -> None:
    """A store that lacks the last migration gets that one alone, and keeps its rows."""
    later = Migration(
        len(KNOWN) + 1, "later", "CREATE TABLE later (a bigint); INSERT INTO later SELECT revision FROM feed_head;"
    )
    store = place.open(clock=SettableClock())
    revision = keep_app(store).revision
    link = database.connect()
    assert due(link, [*KNOWN, later]) == (later,)
    assert apply_due(link, [*KNOWN, later]) == (later,)
    assert apply_due(link, [*KNOWN, later]) == ()
    assert link.execute("SELECT * FROM later").fetchall() == [(revision,)]
    link.close()


def test_a_failing_migration_leaves_nothing(database: Database) -> None:
    """A migration that fails half way is undone, with its record; mended, it is applied."""
    broken = Migration(len(KNOWN) + 1, "broken", "CREATE TABLE half (a bigint); INSERT INTO nowhere VALUES (1);")
    link = database.connect()
    with pytest.raises(psycopg.errors.UndefinedTable):
        apply_due(link, [*KNOWN, broken])
    mended = replace(broken, sql="CREATE TABLE half (a bigint);")
    assert apply_due(link, [*KNOWN, mended]) == (mended,)
    link.close()


def test_a_migration_waits_for_a_table_only_so_long(place: PostgresPlace, database: Database) -> None:
    """It may run as long as it needs, but while it waits for a table, and all others for it, a quarter of a minute."""
    limits = "current_setting('lock_timeout') AS waits, current_setting('statement_timeout') AS runs"
    later = Migration(len(KNOWN) + 1, "later", f"CREATE TABLE later AS SELECT {limits};")
    place.open(clock=SettableClock()).close()
    with closing(database.connect()) as link:
        assert apply_due(link, [*KNOWN, later]) == (later,)
        assert link.execute("SELECT waits, runs FROM later").fetchall() == [("15s", "0")]


def test_a_newer_schema_is_refused(place: PostgresPlace, raw: Connection) -> None:
    """A store that a newer version migrated is refused with both versions, by all who look."""
    raw.execute("INSERT INTO migrations VALUES (%s, 'later', 'aa', 0)", (len(KNOWN) + 1,))
    for use in (partial(open_store, clock=system_clock), find_missing, partial(apply_missing, clock=system_clock)):
        with pytest.raises(SchemaTooNew, match=f"version {len(KNOWN) + 1}, this program knows up to {len(KNOWN)}"):
            use(place.url)


def test_a_changed_migration_is_refused(place: PostgresPlace, raw: Connection) -> None:
    """A store whose applied migration has another text than the shipped one is refused with both."""
    raw.execute("UPDATE migrations SET sha256 = 'cafe' WHERE number = 1")
    with pytest.raises(MigrationChanged, match=r"0001_first \(sha256 cafe\).*0001_first \(sha256 [0-9a-f]{12}\)"):
        open_store(place.url, clock=system_clock)


@pytest.mark.parametrize("table", ["apps (name text)", "migrations (id bigint, done boolean)"])
def test_tables_of_something_else_are_no_store(empty: str, table: str) -> None:
    """A schema with somebody else's tables is refused and left alone; a schema of its own beside it is welcome."""
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {table}")
        for use in (partial(open_store, clock=system_clock), partial(apply_missing, clock=system_clock)):
            with pytest.raises(NotAStore, match="tables of something else"):
                use(empty)
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert tables == [(1,)]
        connection.execute("CREATE SCHEMA auth")
    own = f"{empty}&options=-csearch_path%3Dauth"
    assert apply_missing(own, clock=system_clock) == KNOWN
    store = open_store(own, clock=system_clock)
    keep_app(store)
    store.close()


def test_a_schema_that_is_not_there_is_named_as_the_fault(empty: str) -> None:
    """Where the search path leads nowhere, the refusal says so."""
    with pytest.raises(StoreUnfit, match="search_path names no schema"):
        apply_missing(f"{empty}&options=-csearch_path%3Dnowhere", clock=system_clock)


def test_another_encoding_is_refused(postgres_server: Server) -> None:
    """A database that is not UTF-8 is refused with the encoding it has."""
    options, refusal = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0", "is LATIN1; it must be UTF8"
    with postgres_server.empty(options) as name, pytest.raises(StoreUnfit, match=refusal):
        apply_missing(postgres_server.url(name), clock=system_clock)


def test_a_role_without_privileges_is_told(place: PostgresPlace, raw: Connection) -> None:
    """A role that may not use the tables is refused with what is missing."""
    raw.execute("CREATE ROLE stranger LOGIN")
    try:
        with pytest.raises(StoreUnfit, match="lacks a privilege"):
            open_store(place.url.replace("postgres@", "stranger@"), clock=system_clock)
    finally:
        raw.execute("DROP ROLE stranger")


def test_one_holds_the_store_for_itself(place: PostgresPlace) -> None:
    """While somebody has the store alone all others are refused, and nobody gets it alone while another uses it."""
    with closing(open_store(place.url, clock=system_clock, exclusive=True)) as alone:
        keep_app(alone)
        with pytest.raises(StoreInUse, match="wait until that has ended"):
            open_store(place.url, clock=system_clock)
        with pytest.raises(StoreInUse, match="stop the servers"):
            open_store(place.url, clock=system_clock, exclusive=True)
    with (
        closing(open_store(place.url, clock=system_clock)) as first,
        closing(open_store(place.url, clock=system_clock)) as second,
    ):
        with pytest.raises(StoreInUse, match="stop the servers"):
            open_store(place.url, clock=system_clock, exclusive=True)
        assert first.trust_state() == second.trust_state()
    open_store(place.url, clock=system_clock, exclusive=True).close()


def test_stores_side_by_side_do_not_hinder_each_other(empty: str) -> None:
    """Two schemas of one database are two stores: each can be held, and each has its own apps."""
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA one")
        connection.execute("CREATE SCHEMA two")
    with ExitStack() as opened:
        stores = []
        for schema in ("one", "two"):
            url = f"{empty}&options=-csearch_path%3D{schema}"
            stores.append(open_store(url, clock=system_clock, migrate=True, exclusive=True))
            opened.callback(stores[-1].close)
        keep_app(stores[0])
        assert [len(store.trust_state().apps) for store in stores] == [1, 0]


def test_a_node_that_takes_no_changes_is_refused(place: PostgresPlace, raw: Connection) -> None:
    """A database that is set to read-only is refused when it is opened, with what to do."""
    raw.execute(f"ALTER DATABASE {place.database} SET default_transaction_read_only = on")
    with pytest.raises(StoreUnfit, match=r"takes no changes.*name the primary"):
        place.open(clock=SettableClock())


def test_a_standby_is_refused(postgres_server: Server, place: PostgresPlace) -> None:
    """A real standby is refused, though it answers questions."""
    with postgres_server.standby() as standby:
        url = standby.url(place.database)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT pg_is_in_recovery(), count(*) FROM apps").fetchall() == [(True, 0)]
        for use in (partial(open_store, clock=system_clock), partial(apply_missing, clock=system_clock)):
            with pytest.raises(StoreUnfit, match="takes no changes"):
                use(url)


def test_a_node_that_stops_taking_changes(place: PostgresPlace, postgres_server: Server, raw: Connection) -> None:
    """When an open store's node turns read-only, calls and health checks get UNAVAILABLE until it takes changes."""
    store = place.open(clock=SettableClock())
    session = keep_session(store)
    with postgres_server.setting("default_transaction_read_only", "on"):
        eventually(lambda: raw.execute("SHOW default_transaction_read_only").fetchall() == [("on",)])
        for call in (store.ping, partial(turn, store, session)):
            with pytest.raises(Unavailable) as refusal:
                call()
            assert refusal.value.detail.startswith("ReadOnlySqlTransaction 25006")
    eventually(partial(_turns, store, session))


def _turns(store: object, session: object) -> bool:
    try:
        return turn(store, session) is not None  # type: ignore[arg-type]
    except Unavailable:
        return False


WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = current_database()"
CANCEL = f"SELECT pg_cancel_backend(pid) FROM ({WAITING}) AS waiting"  # noqa: S608 - a constant


def _commits_wait(place: PostgresPlace, raw: Connection) -> bool:
    """Whether a commit waits for a standby: another process of the server sees to that, a moment after the setting."""
    with psycopg.connect(place.url, autocommit=True) as other:
        commit = Background(partial(other.execute, "SELECT pg_logical_emit_message(true, 'test', '')"))
        eventually(lambda: commit.over or raw.execute(WAITING).fetchall())
        return bool(raw.execute(CANCEL).fetchall()) and commit.outcome() is not None


def test_a_commit_that_no_standby_confirms_is_not_acknowledged(
    place: PostgresPlace, postgres_server: Server, raw: Connection
) -> None:
    """Where a standby has to confirm and none does, nothing is acknowledged, though the server has committed.

    The server says so by a warning alone when the wait is cancelled, and says nothing while it waits.
    """
    store = place.open(clock=SettableClock())
    session = keep_session(store)
    with postgres_server.setting("synchronous_standby_names", "nobody"):
        eventually(lambda: _commits_wait(place, raw))
        cancelled = Background(partial(turn, store, session))
        eventually(lambda: raw.execute(WAITING).fetchall())
        raw.execute(CANCEL)
        outcome = cancelled.outcome()
        assert isinstance(outcome, Unavailable)
        assert outcome.detail == "OperationalError (outcome unknown)"
        begun = time.monotonic()
        with pytest.raises(Unavailable, match="STORE_UNAVAILABLE") as refusal:
            turn(store, session, 1, deadline=deadline_after(0.2))
        assert refusal.value.detail == "Stalled (outcome unknown)"
        assert time.monotonic() - begun < 10
    eventually(lambda: now_kept(store, session).generation == 2)  # both were committed all the same


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        (
            "postgresql://{user}@/{none}?host={socket}",
            "database {none} at {socket} as user {user}: no such database;",
        ),
        (
            "postgresql://{none}@/postgres?host={socket}",
            "database postgres at {socket} as user {none}: no such role;",
        ),
        ("postgresql://user:pass@127.0.0.1:1/db", "database db at 127.0.0.1:1 as user user: connection refused; does"),
        ("postgresql://user:pass@/db?host=/nowhere", "database db at /nowhere as user user: no socket there; does"),
        ("postgresql://user:pass@nowhere.invalid/db", "database db at nowhere.invalid as user user: unknown host; is"),
        ("postgresql://user@127.0.0.1:1", "database user at 127.0.0.1:1 as user user: connection refused; does"),
        # Passwords whose special characters are not encoded: what follows them may be the rest of them.
        (
            "postgresql://user:a@127.0.0.1:1/pass@127.0.0.1/db",
            "the database of the store's address: connection",
        ),
        ("postgresql://user:a@pass@127.0.0.1:1/db", "the database of the store's address: "),
    ],
)
def test_a_connection_that_cannot_be_made_says_to_where(postgres_server: Server, address: str, sentence: str) -> None:
    """Host, database and user, what is wrong and what to look at; never the password, nor a piece of it."""
    names = {"user": "postgres", "none": "nothing-there", "socket": str(postgres_server.socket.parent)}
    for use in (partial(open_store, clock=system_clock), partial(apply_missing, clock=system_clock), find_missing):
        with pytest.raises(Unreachable) as refused:
            use(address.format(**names))
        assert refused.value.sentence.startswith(f"cannot connect to {sentence.format(**names)}")
        assert "pass" not in refused.value.sentence.replace("password", "")
        assert refused.value.reason == "STORE_UNAVAILABLE"


SECRET = "hunter2"


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://user:{}@127.0.0.1:1/db",
        "postgresql://user:{}@127.0.0.1,127.0.0.2:1,1/db",
        "postgresql://user@127.0.0.1:1/db?password={}",
        "postgresql://user:{}@/db?host=/nowhere",
    ],
)
def test_no_password_is_shown(address: str, caplog: pytest.LogCaptureFixture) -> None:
    """A password is in no refusal, no log line at any level, and no representation of the settings."""
    url = address.format(SECRET)
    with caplog.at_level(logging.DEBUG, "psycopg"), pytest.raises(Unavailable) as refusal:
        open_store(url, clock=system_clock)
    settings = Settings(store=url)
    assert settings.store_url == url
    for text in (refusal.value.detail, repr(refusal.value), str(settings), repr(settings), caplog.text):
        assert SECRET not in text
    assert "psycopg" in caplog.text  # it was listened to


def test_no_password_is_shown_by_what_is_open(place: PostgresPlace, caplog: pytest.LogCaptureFixture) -> None:
    """A store that is open, and what it is made of, do not show the password it was opened with."""
    url = place.url.replace("postgres@", f"postgres:{SECRET}@")
    with caplog.at_level(logging.DEBUG, "psycopg"):
        store = open_store(url, clock=system_clock)
        keep_app(store)
        parts = [store, *_parts(store, depth=4)]
        store.close()
    assert len(parts) > 10
    assert "authsvc" in caplog.text  # the pool was listened to
    for part in parts:
        assert SECRET not in repr(part)
    assert SECRET not in caplog.text


def _parts(thing: object, depth: int) -> Iterator[object]:
    """What a thing of ours is made of."""
    for part in vars(thing).values() if hasattr(thing, "__dict__") else ():
        yield part
        if depth and type(part).__module__.startswith("authsvc"):
            yield from _parts(part, depth - 1)
