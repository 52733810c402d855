"""What a restore revoked stays revoked: nobody knows how long the tokens live that were issued since the copy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from authsvc.clock import system_clock
from authsvc.storage import restore
from authsvc.storage.base import Store
from tests.restoring.test_backups import anything
from tests.storage.places import PostgresPlace, SettableClock, SqlitePlace
from tests.storage.postgres.server import Server
from tests.storage.records import APP, SARA, an_audit, keep_app

AGES = timedelta(days=36_500)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest) -> Iterator[SqlitePlace | PostgresPlace]:
    """An empty place on each backend."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_place")
        return
    server: Server = request.getfixturevalue("postgres")
    with server.migrated() as name:
        place = PostgresPlace(name, server.url(name))
        yield place
        place.close()


def left(store: Store) -> list[str | None]:
    """Of whom there are watermarks, after a purge of everything that can go."""
    assert store.purge(limit=1_000, keep_revisions=0).complete
    return [mark.user_id for mark in store.trust_state().watermarks]


@pytest.mark.parametrize("again", [False, True])
def test_the_apps_watermark_is_never_forgotten(
    place: SqlitePlace | PostgresPlace, clock: SettableClock, again: bool
) -> None:
    """It stays when all others are gone, also where it was raised once more by hand."""
    keep_app(place.open(clock=clock))
    place.close()
    restore(place.url, None, check=anything, progress=lambda _: None, clock=system_clock)
    store = place.open(clock=clock)
    store.raise_watermark(APP, SARA, an_audit())
    if again:
        store.raise_watermark(APP, None, an_audit())
    assert left(store) == [None, SARA]
    clock.advance(AGES)
    assert left(store) == [None]


def test_without_a_restore_it_goes(place: SqlitePlace | PostgresPlace, clock: SettableClock) -> None:
    """The control: one that was raised by hand goes when nothing that it covers can live."""
    store = place.open(clock=clock)
    keep_app(store)
    store.raise_watermark(APP, None, an_audit())
    clock.advance(AGES)
    assert left(store) == []
