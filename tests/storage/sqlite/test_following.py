"""Following on SQLite: hints cross processes, and what a page costs does not depend on how much is in it."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import apsw
import pytest

from authsvc.model import Revision, TokenId, UserId
from authsvc.storage.base import Store
from authsvc.storage.sqlite.connection import Database, fetch
from authsvc.storage.sqlite.faults import ENGINE_FAULTS
from authsvc.storage.sqlite.following import read_changes
from authsvc.storage.sqlite.hints import Hints
from tests.storage.crowd import Background, all_at_once
from tests.storage.places import SettableClock, SqlitePlace
from tests.storage.records import APP, a_session, an_audit, keep_app, keep_session

ANOTHER_PROCESS = Path(__file__).with_name("open_together.py")
LONG = 30.0


def look_until(store: Store, after: Revision) -> Revision:
    """Wait for hints until something was committed after that revision; returns the head."""
    began = time.monotonic()
    while time.monotonic() - began < LONG:
        page = store.changes_since(after)
        if page is not None and page.commits:
            return page.head
        store.await_hint(LONG)
    raise AssertionError("no hint came")


def test_a_hint_crosses_processes(place: SqlitePlace, store: Store) -> None:
    """A follower that waits with all the patience it has reads at once what another process commits."""
    keep_app(store)
    head = store.trust_state().revision
    waiting = Background(partial(look_until, store, head))
    command = [sys.executable, str(ANOTHER_PROCESS)]
    subprocess.run(command, input=f"{place.url}\n", capture_output=True, text=True, check=True)
    assert waiting.outcome() == head + 1
    assert len(store.trust_state().secrets) == 1


def test_every_commit_is_noticed_however_short_the_wait(store: Store, place: SqlitePlace, clock: SettableClock) -> None:
    """What is committed between two waits is a hint for the next, even with no patience at all."""
    other = place.open(clock=clock)
    keep_app(store)
    for _ in range(20):
        while other._hints._moved():  # type: ignore[attr-defined]
            pass
        keep_session(store)
        assert other._hints._moved()  # type: ignore[attr-defined]


@pytest.mark.parametrize("fault", ENGINE_FAULTS)
def test_an_engine_that_is_away_is_a_hint(fault: type[Exception]) -> None:
    """When the engine cannot be asked the wait ends early and raises nothing; each wait asks again."""
    asked: list[None] = []

    def connect() -> apsw.Connection:
        asked.append(None)
        raise fault

    hints = Hints(connect)
    hints.wait(LONG)
    hints.wait(LONG)
    assert len(asked) == 2
    hints.close()


def revoke_one_of_each(store: Store, number: int) -> None:
    """End a token, a user and a session."""
    store.revoke_token(APP, TokenId(f"jti-{number}"), None, an_audit())
    store.raise_watermark(APP, UserId(f"user-{number}"), an_audit())
    store.revoke_session(store.open_session(a_session()).id, "logout", an_audit())


def statements_of_a_page(database: Database, limit: int) -> tuple[int, int]:
    """How many commits a page has, and how many statements it took."""
    connection = database.connect(query_only=True)
    run: list[str] = []

    def trace(cursor: apsw.Cursor, statement: str, values: object) -> bool:
        run.append(statement)
        return True  # go on with it

    fetch(connection, "BEGIN")
    connection.exec_trace = trace
    page = read_changes(connection, Revision(0), limit)
    connection.close(True)
    assert page is not None
    return len(page.commits), len(run)


def test_a_page_takes_a_statement_for_each_kind(store: Store, database: Database) -> None:
    """However many commits a page has, it costs four statements and one for each kind of thing in it."""
    keep_app(store)
    revoke_one_of_each(store, 0)
    all_at_once([partial(revoke_one_of_each, store, number) for number in range(1, 64)])
    few, costs_few = statements_of_a_page(database, 10)
    many, costs_many = statements_of_a_page(database, 1000)
    assert (few, many) == (10, 1 + 64 * 3)
    assert costs_few == costs_many == 4 + 5  # app, key, session, token, watermark
