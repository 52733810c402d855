"""A store of the first schema becomes one of the present, with everything that was in it."""

# ruff: noqa: S608 - statements are put together from constants

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest
from psycopg.errors import CheckViolation

from authsvc.clock import to_microseconds
from authsvc.model import Subject
from authsvc.storage.base import Store
from authsvc.storage.migrate import shipped
from authsvc.storage.postgres import open_postgres
from authsvc.storage.postgres.database import database_at
from authsvc.storage.postgres.schema import apply_due
from authsvc.storage.rows.feed import AUDIT_COLUMNS
from tests.storage.places import START, SettableClock
from tests.storage.postgres.conftest import Connection
from tests.storage.postgres.server import Server
from tests.storage.records import APP, SARA

DAY = 86_400_000_000
NOW = to_microseconds(START)
TTL, ACCESS, SKEW = 3_600_000_000, 900_000_000, 120_000_000
LEEWAY = timedelta(hours=1)

OLD = f"""
INSERT INTO apps VALUES ('acme', '{{}}', '[]', {TTL}, {90 * DAY}, false, 1, 1, 0, 0);
INSERT INTO secrets VALUES ('mac', 1, '\\x00', 5);
INSERT INTO feed VALUES (1, 0, 'app', 'acme', ''), (2, 0, 'watermark', 'acme', 'sara'), (3, 0, 'watermark', 'acme', '');
UPDATE feed_head SET revision = 3;
INSERT INTO watermarks VALUES ('acme', 'sara', 2, {NOW}, NULL, 2, NULL, 2), ('acme', 'tom', 0, NULL, 7, 0, 7, 3);
INSERT INTO audit ({AUDIT_COLUMNS}) VALUES ({NOW}, 2, 'store.restored', 'restore', '', '', 'revoked', ''),
    ({NOW}, 3, 'store.restored', 'restore', 'acme', '', 'revoked', '');
INSERT INTO sessions VALUES
    (uuid_send(gen_random_uuid()), 'acme', 'user', 'ann', '{{}}', 'classic', {ACCESS}, 0, {NOW}, '', 1, {NOW},
     {NOW + DAY}, {NOW + 9 * DAY}, NULL, '', NULL, 'svc', false),
    (uuid_send(gen_random_uuid()), 'acme', 'user', 'tom', '{{}}', 'classic', {ACCESS}, 0, {NOW}, '', 1, {NOW},
     {NOW + DAY}, {NOW + 9 * DAY}, {NOW}, 'logout', 3, 'svc', false);
"""


@pytest.fixture
def migrated(postgres_server: Server) -> Iterator[Connection]:
    """A database that had the first schema, with rows, and was brought up to the present one."""
    with postgres_server.empty() as name:
        with closing(database_at(postgres_server.url(name)).connect()) as link:
            apply_due(link, shipped("postgres")[:1])
            link.execute(OLD)
            apply_due(link, shipped("postgres"))
        with postgres_server.connect(name) as connection:
            yield connection


@pytest.fixture
def store(migrated: Connection, postgres_server: Server, clock: SettableClock) -> Iterator[Store]:
    """A store on that."""
    url = postgres_server.url(migrated.info.dbname)
    with closing(open_postgres(url, exclusive=False, present=clock)) as store:
        yield store


def test_rows_are_kept(migrated: Connection, store: Store) -> None:
    """The feed, secrets, sessions and watermarks are there after the change, and a follower can go on."""
    tables = ("feed", "secrets", "sessions", "watermarks")
    assert [store.counts()[table] for table in tables] == [3, 1, 2, 2]
    assert migrated.execute("SELECT * FROM secrets").fetchall() == [("mac", 1, b"\0", 5, 0)]
    (revoked,) = store.trust_state().sessions
    assert to_microseconds(revoked.until) == NOW + 9 * DAY + TTL + SKEW


def test_a_live_session_is_due_once_and_then_when_a_new_one_would_be(
    migrated: Connection, store: Store, clock: SettableClock
) -> None:
    """The first purge looks at sessions that were there before, removes none, and puts each off to its own end."""
    outcome = store.purge(limit=0, keep_revisions=9)
    assert (outcome.complete, outcome.oldest_due) == (False, START)  # not the beginning of time
    assert store.purge(limit=10, keep_revisions=9).removed["sessions"] == 0
    assert migrated.execute("SELECT user_id, due_at FROM sessions ORDER BY user_id").fetchall() == [
        ("ann", NOW + DAY + ACCESS + SKEW),
        ("tom", NOW + 9 * DAY + TTL + SKEW),
    ]
    clock.advance(timedelta(days=1, microseconds=ACCESS + SKEW) + LEEWAY)
    assert store.purge(limit=10, keep_revisions=9).removed["sessions"] == 1


def test_watermarks_know_since_when(migrated: Connection, store: Store) -> None:
    """Where sessions were revoked by revision the moment is that of the tokens; what is due is found at first sight."""
    assert migrated.execute("SELECT user_id, sessions_revoked_at FROM watermarks ORDER BY user_id").fetchall() == [
        ("sara", NOW),
        ("tom", None),
    ]
    assert store.purge(limit=10, keep_revisions=9).removed["watermarks"] == 1  # tom's is of 1970
    assert [mark.user_id for mark in store.trust_state().watermarks] == [SARA]


def test_the_feed_takes_the_new_kinds_and_no_others(migrated: psycopg.Connection) -> None:
    """Each kind the program knows can be told of, an unknown one is refused."""
    for number, kind in enumerate(Subject):
        migrated.execute("INSERT INTO feed VALUES (9, %s, %s, %s, '')", (number, kind, APP))
    with pytest.raises(CheckViolation):
        migrated.execute("INSERT INTO feed VALUES (10, 0, 'thing', 'acme', '')")


def test_what_was_restored_is_known(migrated: Connection) -> None:
    """What an earlier restore revoked is found in the audit, and stays revoked."""
    assert migrated.execute("SELECT restored_revision, restored_at FROM meta").fetchall() == [(3, NOW)]
