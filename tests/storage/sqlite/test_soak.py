"""However many sessions come and go, the file is as large as those that are there."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import pytest

from authsvc.model import Session, User
from authsvc.storage.base import Store
from authsvc.storage.sqlite.connection import Database, fetch
from tests.storage.crowd import all_at_once
from tests.storage.places import SettableClock
from tests.storage.records import SARA, a_session, keep_app, turn

CROWD = 64
ROUNDS = 10
DAY = timedelta(days=1)


def pages(database: Database) -> int:
    """How large the database is, in pages, the unused ones too."""
    connection = database.connect(query_only=True)
    ((count,),) = fetch(connection, "PRAGMA page_count")
    connection.close()
    return int(count)


def live(store: Store, now: datetime) -> Session | None:
    """A session that begins now, lasts for a day without use and for four days in all, and turns once."""
    ends = {"idle_expires_at": now + DAY, "absolute_expires_at": now + 4 * DAY}
    session = a_session(created_at=now, rotated_at=now, user=User(SARA, custom={"more": "x" * 1000}), **ends)
    return turn(store, store.open_session(session), idle_ttl=DAY)


@pytest.mark.parametrize("purging", [True, False])
def test_the_file_does_not_grow(store: Store, clock: SettableClock, database: Database, purging: bool) -> None:
    """Sessions of many days take the room of those that live, and without purging ever more."""
    keep_app(store)
    sizes = []
    for _ in range(ROUNDS):
        crowd = all_at_once([partial(live, store, clock.now)] * CROWD)  # together, so that they share flushes
        assert all(isinstance(session, Session) for session in crowd)
        clock.advance(2 * DAY)
        while purging and not store.purge(limit=CROWD, keep_revisions=10).complete:
            pass
        sizes.append(pages(database))
    grown = sizes[-1] - sizes[2]
    assert (store.counts()["sessions"], grown <= 2) == ((0, True) if purging else (ROUNDS * CROWD, False))
