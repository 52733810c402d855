"""How sessions behave, what statements cost, and what is written."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import pytest
from psycopg import errors, pq

from authsvc.clock import deadline_after, seconds_left, to_microseconds
from authsvc.model import session_text
from authsvc.storage import open_store
from authsvc.storage.base import Store
from authsvc.storage.postgres.database import DEFAULT_SECONDS, Database
from authsvc.storage.postgres.link import Link
from authsvc.storage.postgres.sessions import TURN
from authsvc.storage.postgres.statement import Request, Row, Statement
from authsvc.storage.postgres.transaction import limited
from tests.storage.places import PostgresPlace, SettableClock
from tests.storage.postgres.conftest import Connection
from tests.storage.postgres.waiting import eventually
from tests.storage.records import APP, IDLE, SARA, a_key, an_app, an_audit, keep_session, turn

EXPECTED = {
    "application_name": "authsvc",
    "synchronous_commit": "on",
    "transaction_isolation": "read committed",
    "statement_timeout": "5s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
}


@pytest.fixture
def link(database: Database) -> Iterator[Link]:
    """A connection as the store has them."""
    link = database.connect()
    yield link
    link.close()


def ask(link: Link, *requests: Request) -> list[list[Row]]:
    """Run statements in one exchange."""
    return link.exchange(requests, deadline_after(5))


def test_sessions_are_careful(link: Link) -> None:
    """Every session says whose it is, waits for the disk at each commit, and bounds every wait."""
    show = Statement("SELECT current_setting(:name)")
    assert {name: ask(link, show(name=name))[0][0][0] for name in EXPECTED} == EXPECTED


def test_a_stronger_commit_is_left_alone(database: Database, raw: Connection) -> None:
    """Where an operator asks standbys to have applied a commit, it stays so; anything weaker becomes ``on``."""
    show = Statement("SELECT current_setting('synchronous_commit')")
    for configured, found in [("remote_apply", "remote_apply"), ("off", "on"), ("local", "on"), ("remote_write", "on")]:
        raw.execute(f"ALTER ROLE postgres IN DATABASE {raw.info.dbname} SET synchronous_commit = {configured}")
        link = database.connect()
        assert ask(link, show()) == [[(found,)]]
        link.close()


def test_all_text_compares_by_its_bytes(store: Store, raw: Connection) -> None:
    """Every column of text has the collation "C", whatever the database's is; there are many of them."""
    columns = raw.execute(
        "SELECT table_name, column_name, collation_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND data_type = 'text'"
    ).fetchall()
    assert [column for column in columns if column[2] != "C"] == []
    assert len(columns) > 30


def updates(link: Link, change: Request) -> tuple[int, int]:
    """How many rows a statement changed, and how many of those without touching an index; undone afterwards."""
    look = Statement("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'sessions'")
    _, [before], _, [after], _ = ask(link, Statement("BEGIN")(), look(), change, look(), Statement("ROLLBACK")())
    return after[0] - before[0], after[1] - before[1]


def test_a_turn_writes_to_the_row_alone(store: Store, link: Link) -> None:
    """The statement that turns a session writes no index; one that moves when to look at it does, and that is seen."""
    session = keep_session(store)
    present = to_microseconds(session.created_at)
    turn = TURN(id=session.id, generation=0, request_id_hash=b"", idle_ttl=1, claims=None, present=present)
    move = Statement("UPDATE sessions SET due_at = due_at + 1")()
    assert updates(link, turn) == (1, 1)
    assert updates(link, move) == (1, 0)


def test_rows_of_a_revoke_carry_one_number(store: Store, raw: Connection) -> None:
    """The feed row, the audit row and the session of a revoke carry its revision; the audit says what was given."""
    session = keep_session(store)
    audit = an_audit("sessions.revoke", subject=session_text(session.id))
    store.revoke_session(session.id, "logout", audit)
    revision = store.trust_state().revision
    assert raw.execute("SELECT * FROM feed WHERE revision = %s", (revision,)).fetchall() == [
        (revision, 0, "session", APP, session_text(session.id))
    ]
    assert raw.execute("SELECT * FROM audit WHERE revision = %s", (revision,)).fetchall() == [
        (2, to_microseconds(audit.at), revision, audit.action, "svc-1", APP, audit.subject, "ok", "because")
    ]
    assert raw.execute("SELECT revoked_revision FROM sessions").fetchall() == [(revision,)]


def test_feed_rows_name_what_changed(store: Store, raw: Connection) -> None:
    """Feed rows say kind, app and subject; an app comes with its key under one revision."""
    store.create_app(an_app(), a_key(), an_audit())
    store.raise_watermark(APP, SARA, an_audit())
    store.raise_watermark(APP, None, an_audit())
    assert raw.execute("SELECT * FROM feed ORDER BY revision, ordinal").fetchall() == [
        (1, 0, "app", "acme", ""),
        (1, 1, "key", "acme", "key-1"),
        (2, 0, "watermark", "acme", "sara"),
        (3, 0, "watermark", "acme", ""),
    ]


def test_an_app_has_one_active_key(store: Store, raw: Connection) -> None:
    """The schema refuses a second active key of an app, whoever writes it; a pending one is no rival."""
    store.create_app(an_app(), a_key(), an_audit())
    raw.execute("CREATE TEMP TABLE copy AS SELECT * FROM keys")
    raw.execute("UPDATE copy SET key_id = 'key-2', state = 'pending'")
    raw.execute("INSERT INTO keys SELECT * FROM copy")
    raw.execute("UPDATE copy SET key_id = 'key-3', state = 'active'")
    with pytest.raises(errors.UniqueViolation):
        raw.execute("INSERT INTO keys SELECT * FROM copy")


def test_statements_sent_together_are_one_transaction(link: Link, raw: Connection) -> None:
    """The limits of a read hold for the statement that is sent with them and end with it; a fault undoes all."""
    raw.execute("CREATE TABLE t (n bigint PRIMARY KEY)")
    limit = Statement("SELECT set_config('lock_timeout', :limit, true)")
    show = Statement("SELECT current_setting('lock_timeout')")
    assert ask(link, limit(limit="123"), show())[-1] == [("123ms",)]
    assert ask(link, show()) == [[("5s",)]]
    insert = Statement("INSERT INTO t VALUES (:n)")
    with pytest.raises(errors.UniqueViolation):
        ask(link, insert(n=1), insert(n=1))
    assert raw.execute("SELECT count(*) FROM t").fetchall() == [(0,)]
    ask(link, insert(n=1), insert(n=2))
    assert raw.execute("SELECT count(*) FROM t").fetchall() == [(2,)]


IN_FORCE = Statement(
    "SELECT name, setting::bigint FROM pg_settings WHERE name IN ('lock_timeout', 'statement_timeout')"
)


@pytest.mark.parametrize("seconds", [0.5, 4.5, 4.9, 5.5, 60.0])
def test_one_statement_is_bounded_by_its_deadline(link: Link, seconds: float) -> None:
    """Whether a deadline is nearer than the session's limits or farther, by little or by much, it sets both."""
    before = seconds_left(until := deadline_after(seconds))
    requests = limited(IN_FORCE(), until)
    after = seconds_left(until)
    found: dict[str, int] = dict(ask(link, *requests)[-1])
    assert found.keys() == {"lock_timeout", "statement_timeout"}
    assert all(after * 1000 - 1 <= milliseconds <= before * 1000 for milliseconds in found.values())


def test_a_call_that_names_no_deadline_sets_no_limits(database: Database) -> None:
    """A statement that has the usual time is sent alone, and the limits of its session are in force as they are."""
    link = replace(database, settings={"statement_timeout": "6s", "lock_timeout": "7s"}).connect()
    requests = limited(IN_FORCE(), deadline_after(DEFAULT_SECONDS))
    assert len(requests) == 1
    assert dict(ask(link, *requests)[-1]) == {"statement_timeout": 6000, "lock_timeout": 7000}
    link.close()


@pytest.mark.parametrize("texts", [(), ("a",), ("", "ä\n'\"{}", "x" * 70_000)])
def test_a_tuple_of_texts_is_an_array(link: Link, texts: tuple[str, ...]) -> None:
    """The server has the texts of a tuple as they are, in order, and as many; NUL is refused as anywhere."""
    unnest = Statement("SELECT text FROM unnest(:texts::text[]) WITH ORDINALITY AS each (text, place) ORDER BY place")
    assert ask(link, unnest(texts=texts)) == [[(text,) for text in texts]]
    with pytest.raises(ValueError, match="NUL"):
        unnest(texts=("a", "b\0"))


def test_a_tuple_of_bytes_is_an_array(link: Link) -> None:
    """Byte strings come as they are."""
    unnest = Statement("SELECT part FROM unnest(:parts::bytea[]) AS part")
    assert ask(link, unnest(parts=(b"\0\xff", b""))) == [[(b"\0\xff",), (b"",)]]


def test_what_the_server_tells_unasked_is_kept_until_it_is_asked_for(link: Link, raw: Connection) -> None:
    """Notifications that arrive beside other answers are not lost, come once, and are no warning."""
    ask(link, Statement("LISTEN here")())
    raw.execute("NOTIFY here, 'first'")
    ask(link, Statement("SELECT 1::bigint")())
    raw.execute("NOTIFY here, 'second'")
    raw.execute("NOTIFY elsewhere, 'third'")
    heard = list[str]()

    def heard_both() -> bool:
        heard.extend(link.heard())
        return len(heard) > 1

    eventually(heard_both)
    assert heard == ["first", "second"]
    assert not link.warned


class ClosedMeanwhile:
    """The lower layer of a connection that is closed once its socket's number was read, which another then has."""

    def __init__(self, pgconn: pq.abc.PGconn, another: socket.socket) -> None:
        self._pgconn = pgconn
        self._another = another

    @property
    def socket(self) -> int:
        number = self._pgconn.socket
        self._pgconn.finish()
        os.dup2(self._another.fileno(), number)
        return number

    def __getattr__(self, name: str) -> object:
        return getattr(self._pgconn, name)


def test_a_socket_of_another_is_not_taken_for_ones_own(link: Link) -> None:
    """A connection that another thread closes meanwhile has hung up, though its socket's number is in use again."""
    assert not link.hung_up()
    number, (another, other_end) = link.pgconn.socket, socket.socketpair()
    link.pgconn = cast(pq.abc.PGconn, ClosedMeanwhile(link.pgconn, another))
    assert link.hung_up()
    for end in (number, another.detach(), other_end.detach()):
        os.close(end)


def servers_time(raw: Connection) -> datetime:
    """What the server's clock shows."""
    ((now,),) = raw.execute("SELECT clock_timestamp()").fetchall()
    assert isinstance(now, datetime)
    return now


def test_the_clock_is_the_servers(place: PostgresPlace, raw: Connection) -> None:
    """Without a clock handed in, what the store writes carries the server's time, and one statement one moment."""
    store = open_store(place.url, clock=SettableClock())
    ends = {
        "idle_expires_at": datetime.max.replace(tzinfo=UTC),
        "absolute_expires_at": datetime.max.replace(tzinfo=UTC),
    }
    session = keep_session(store, **ends)
    before, turned, after = servers_time(raw), turn(store, session), servers_time(raw)
    store.close()
    assert turned is not None
    assert before < turned.rotated_at < after
    assert turned.idle_expires_at == turned.rotated_at + IDLE
