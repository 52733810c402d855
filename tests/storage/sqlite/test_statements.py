"""How connections behave, what statements cost, and what is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import apsw
import pytest

from authsvc.clock import to_microseconds
from authsvc.errors import Unavailable
from authsvc.model import session_text
from authsvc.storage.base import Store
from authsvc.storage.sqlite.connection import Database, Values, fetch
from authsvc.storage.sqlite.readers import Readers
from authsvc.storage.sqlite.sessions import REVOKE, TURN
from tests.storage.places import SqlitePlace
from tests.storage.records import APP, SARA, a_key, an_app, an_audit, keep_session

PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,  # FULL
    "foreign_keys": 1,
    "mmap_size": 0,
    "trusted_schema": 0,
    "temp_store": 2,
}


@pytest.mark.parametrize("query_only", [False, True])
def test_connections_are_careful(database: Database, query_only: bool) -> None:
    """Every connection flushes fully, checks foreign keys, maps no memory and trusts no schema."""
    connection = database.connect(query_only=query_only)
    found = {name: fetch(connection, f"PRAGMA {name}")[0][0] for name in PRAGMAS}
    assert found == PRAGMAS
    assert fetch(connection, "PRAGMA query_only") == [(int(query_only),)]
    connection.close()


def test_a_held_lock_is_given_up_when_patience_ends(database: Database) -> None:
    """Whoever finds the lock held is refused when its patience ends, and gets it once it is free."""
    hasty = replace(database, busy_timeout=timedelta(milliseconds=20))
    rival, connection = hasty.connect(), hasty.connect()
    for _ in range(2):  # patience begins anew each time
        fetch(rival, "BEGIN IMMEDIATE")
        with pytest.raises(apsw.BusyError):
            fetch(connection, "BEGIN IMMEDIATE")
        fetch(rival, "ROLLBACK")
        fetch(connection, "BEGIN IMMEDIATE")
        fetch(connection, "ROLLBACK")
    rival.close()
    connection.close()


def test_readers_cannot_write(database: Database) -> None:
    """A statement that changes something is refused on a reader; and the reader is of use afterwards."""
    readers = Readers(lambda: database.connect(query_only=True))
    with pytest.raises(Unavailable, match="STORE_UNAVAILABLE"):
        readers.read(lambda connection: fetch(connection, "DELETE FROM feed"))
    assert readers.read(lambda connection: fetch(connection, "SELECT 1")) == [(1,)]
    readers.close()


def changes_of_indexes(connection: apsw.Connection, statement: str, values: Values) -> list[str]:
    """The steps of a statement's program that change an index."""
    program = connection.execute(statement, values, explain=1).fetchall()
    lasting = {step[2] for step in program if step[1] == "OpenWrite"}  # others are tables of the moment
    return [str(step[1]) for step in program if step[1] in {"IdxInsert", "IdxDelete"} and step[2] in lasting]


def test_a_turn_writes_to_the_row_alone(database: Database) -> None:
    """The statement that turns a session changes no index; one that ends a session does, and that is seen."""
    connection = database.connect()
    turn = {"id": b"", "generation": 0, "request_id_hash": b"", "idle_ttl": 0, "now": 0, "claims": None}
    assert changes_of_indexes(connection, TURN, turn) == []
    assert changes_of_indexes(connection, REVOKE, (0, "", 0, 0, b"")) != []
    connection.close()


def test_rows_of_a_revoke_carry_one_number(store: Store, place: SqlitePlace, database: Database) -> None:
    """The feed row, the audit row and the session of a revoke carry its revision; the audit says what was given."""
    session = keep_session(store)
    audit = an_audit("sessions.revoke", subject=session_text(session.id))
    store.revoke_session(session.id, "logout", audit)
    revision = store.trust_state().revision
    connection = database.connect()
    assert fetch(connection, "SELECT * FROM feed WHERE revision = ?", (revision,)) == [
        (revision, 0, "session", APP, session_text(session.id))
    ]
    assert fetch(connection, "SELECT * FROM audit WHERE revision = ?", (revision,)) == [
        (2, to_microseconds(audit.at), revision, audit.action, "svc-1", APP, audit.subject, "ok", "because")
    ]
    assert fetch(connection, "SELECT revoked_revision FROM sessions") == [(revision,)]
    connection.close()


def test_feed_rows_name_what_changed(store: Store, database: Database) -> None:
    """Feed rows say kind, app and subject; an app comes with its key under one revision."""
    store.create_app(an_app(), a_key(), an_audit())
    store.raise_watermark(APP, SARA, an_audit())
    store.raise_watermark(APP, None, an_audit())
    connection = database.connect()
    assert fetch(connection, "SELECT * FROM feed ORDER BY revision, ordinal") == [
        (1, 0, "app", "acme", ""),
        (1, 1, "key", "acme", "key-1"),
        (2, 0, "watermark", "acme", "sara"),
        (3, 0, "watermark", "acme", ""),
    ]
    connection.close()


def test_an_app_has_one_active_key(store: Store, database: Database) -> None:
    """The schema refuses a second active key of an app, whoever writes it; a pending one is no rival."""
    store.create_app(an_app(), a_key(), an_audit())
    connection = database.connect()
    copy = "INSERT INTO keys SELECT api_key, ?, algorithm, ?, sealed, '', 0, NULL, NULL, NULL, 0, 0 FROM keys LIMIT 1"
    fetch(connection, copy, ("key-2", "pending"))
    with pytest.raises(apsw.ConstraintError, match="UNIQUE"):
        fetch(connection, copy, ("key-3", "active"))
    connection.close()
