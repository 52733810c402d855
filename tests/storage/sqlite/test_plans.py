"""How statements find their rows: by an index where there can be millions."""

from __future__ import annotations

import re

import apsw
import pytest

from authsvc.model import Subject
from authsvc.storage.sqlite import following, lists, purging, sessions, tokens
from authsvc.storage.sqlite.connection import Database, fetch

LARGE = {"sessions", "revoked_tokens", "watermarks", "feed", "audit"}

STATEMENTS = {
    "sessions of an app": lists._SESSIONS + lists._PAGE_BY_ID,
    "living sessions of a user": lists._SESSIONS + lists._OF_USER + lists._LIVE + lists._PAGE_BY_ID,
    **{f"{kind} list": pages[0] for kind, pages in lists._REVOCATIONS.items()},
    **{f"{kind} list of a user": pages[1] for kind, pages in lists._REVOCATIONS.items() if pages[1]},
    "what is due": purging.DUE,
    "sessions that are due": purging._SESSIONS,
    "tokens that are due": purging._TOKENS,
    "watermarks that are due": purging._MARKS,
    "old rows of the feed": purging._FEED,
    "a page of the feed": following._ENTRIES,
    "the end of a page": following._LAST,
    "the beginning of the feed": following._OLDEST,
    **{f"{kind} of a page": statement for kind, (statement, _) in following._STATEMENTS.items()},
    "accounts of a page": following._ACCOUNTS,
    "credentials of a page": following._CREDENTIALS,
    "a single token": tokens._READ,
    "ended sessions": sessions._REVOKED,
    "a session's state": sessions._STATE,
    "a turn": sessions.TURN,
}


def plan(connection: apsw.Connection, statement: str) -> list[str]:
    """The steps by which the engine answers a statement."""
    names = set(re.findall(r":([a-z_]+)", statement))
    values = dict.fromkeys(names) if names else (None,) * statement.count("?")
    return [detail for *_, detail in fetch(connection, f"EXPLAIN QUERY PLAN {statement}", values)]


def scanned(connection: apsw.Connection, statement: str) -> set[str]:
    """The large tables that a statement reads from the beginning on."""
    words = [step.split() for step in plan(connection, statement)]
    return {step[1] for step in words if step[0] == "SCAN"} & LARGE


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_large_table_is_scanned(database: Database, name: str) -> None:
    """What lists, follows, turns and forgets finds its rows by an index, in the order it wants them."""
    connection = database.connect()
    assert plan(connection, STATEMENTS[name])
    first_row_of_all = {"feed"} if name == "the beginning of the feed" else set()
    assert scanned(connection, STATEMENTS[name]) == first_row_of_all
    connection.close()


def test_a_scan_would_be_seen(database: Database) -> None:
    """The control: a condition on what no index has makes the engine read the whole table."""
    connection = database.connect()
    assert scanned(connection, "SELECT 1 FROM sessions WHERE idle_expires_at < ?") == {"sessions"}
    assert scanned(connection, "SELECT 1 FROM audit WHERE subject = ?") == {"audit"}
    connection.close()


def test_pages_are_not_sorted(database: Database) -> None:
    """A page of a list comes from its index in order: none is sorted, as one by another order would be."""
    connection = database.connect()
    for kind in (Subject.SESSION, Subject.TOKEN, Subject.WATERMARK):
        assert not any("TEMP B-TREE" in step for step in plan(connection, lists._REVOCATIONS[kind][0]))
    assert not any("TEMP B-TREE" in step for step in plan(connection, lists._SESSIONS + lists._PAGE_BY_ID))
    by_user = lists._SESSIONS + " ORDER BY generation LIMIT :limit"
    assert any("TEMP B-TREE" in step for step in plan(connection, by_user))
    connection.close()


def test_starting_reads_ended_sessions_from_an_index_alone(database: Database) -> None:
    """Everything a worker must know of ended sessions is in their index, and no row is read for it."""
    connection = database.connect()
    assert plan(connection, sessions._REVOKED) == ["SEARCH sessions USING COVERING INDEX sessions_revoked (due_at>?)"]
    connection.close()
