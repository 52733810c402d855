"""A store of the first schema becomes one of the present, with everything that was in it."""

# ruff: noqa: S608 - statements are put together from constants

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import apsw
import pytest

from authsvc.clock import system_randomness, to_microseconds
from authsvc.model import Subject
from authsvc.storage.migrate import shipped
from authsvc.storage.sqlite.connection import Database, fetch
from authsvc.storage.sqlite.files import prepare
from authsvc.storage.sqlite.schema import bring_up
from tests.storage.places import START, SettableClock, SqlitePlace
from tests.storage.records import APP, SARA

DAY = 86_400_000_000
NOW = to_microseconds(START)
TTL, ACCESS, SKEW = 3_600_000_000, 900_000_000, 120_000_000

OLD = f"""
INSERT INTO apps VALUES ('acme', '{{}}', '[]', {TTL}, {90 * DAY}, 0, 1, 1, 0, 0);
INSERT INTO secrets VALUES ('mac', 1, x'00', 5);
INSERT INTO feed VALUES (1, 0, 'app', 'acme', ''), (2, 0, 'watermark', 'acme', 'sara'), (3, 0, 'session', 'acme', 's');
UPDATE feed_head SET revision = 3;
INSERT INTO watermarks VALUES ('acme', 'sara', 2, {NOW}, NULL, 2, NULL, 2), ('acme', 'tom', 0, NULL, 7, 0, 7, 3);
INSERT INTO audit VALUES (1, {NOW}, 2, 'store.restored', 'restore', '', '', 'revoked', ''),
    (2, {NOW}, 3, 'store.restored', 'restore', 'acme', '', 'revoked', '');
INSERT INTO sessions VALUES
    (randomblob(16), 'acme', 'user', 'sara', '{{}}', 'classic', {ACCESS}, 0, {NOW}, x'', 1, {NOW}, {NOW + DAY},
     {NOW + 9 * DAY}, NULL, '', NULL, 'svc', 0),
    (randomblob(16), 'acme', 'user', 'tom', '{{}}', 'classic', {ACCESS}, 0, {NOW}, x'', 1, {NOW}, {NOW + DAY},
     {NOW + 9 * DAY}, {NOW}, 'logout', 3, 'svc', 0);
"""


@pytest.fixture
def migrated(place: SqlitePlace, clock: SettableClock) -> Iterator[apsw.Connection]:
    """A database that had the first schema, with rows, and was brought up to the present one."""
    prepare(place.path)
    connection = Database(place.path, timedelta(seconds=5)).connect()
    bring_up(connection, shipped("sqlite")[:1], clock=clock, randomness=system_randomness)
    fetch(connection, OLD)
    bring_up(connection, shipped("sqlite"), clock=clock, randomness=system_randomness)
    yield connection
    connection.close()


def test_rows_are_kept(migrated: apsw.Connection) -> None:
    """The feed, secrets, sessions and watermarks are there after the change."""
    kept = [fetch(migrated, f"SELECT count(*) FROM {table}")[0][0] for table in ("feed", "secrets", "sessions")]
    assert kept == [3, 1, 2]
    assert fetch(migrated, "SELECT revision, kind FROM feed ORDER BY revision") == [
        (1, "app"),
        (2, "watermark"),
        (3, "session"),
    ]
    assert fetch(migrated, "SELECT * FROM secrets") == [("mac", 1, b"\0", 5, 0)]


def test_sessions_are_due_when_new_ones_would_be(migrated: apsw.Connection) -> None:
    """A live session is due after its idle end and its last token's, a revoked one after its absolute end and that."""
    assert fetch(migrated, "SELECT user_id, due_at FROM sessions ORDER BY user_id") == [
        ("sara", NOW + DAY + ACCESS + SKEW),
        ("tom", NOW + 9 * DAY + TTL + SKEW),
    ]


def test_watermarks_know_since_when(migrated: apsw.Connection, place: SqlitePlace, clock: SettableClock) -> None:
    """Where sessions were revoked by revision the moment is that of the tokens; what is due is found at first sight."""
    assert fetch(migrated, "SELECT user_id, sessions_revoked_at FROM watermarks ORDER BY user_id") == [
        ("sara", NOW),
        ("tom", None),
    ]
    store = place.open(clock=clock)
    assert store.purge(limit=0, keep_revisions=9).oldest_due == START  # not the beginning of time
    outcome = store.purge(limit=10, keep_revisions=9)
    assert outcome.removed["watermarks"] == 1  # tom's is of 1970
    assert outcome.complete
    assert [mark.user_id for mark in store.trust_state().watermarks] == [SARA]


def test_the_feed_takes_the_new_kinds_and_no_others(migrated: apsw.Connection) -> None:
    """Each kind the program knows can be told of, an unknown one is refused."""
    for number, kind in enumerate(Subject):
        fetch(migrated, "INSERT INTO feed VALUES (9, ?, ?, ?, '')", (number, kind, APP))
    with pytest.raises(apsw.ConstraintError):
        fetch(migrated, "INSERT INTO feed VALUES (10, 0, 'thing', 'acme', '')")


def test_what_was_restored_is_known(migrated: apsw.Connection) -> None:
    """What an earlier restore revoked is found in the audit, and stays revoked."""
    assert fetch(migrated, "SELECT restored_revision, restored_at FROM meta") == [(3, NOW)]
