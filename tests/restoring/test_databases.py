"""A restore on PostgreSQL: one transaction, by one at a time, on a schema that this program knows."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from authsvc.clock import system_clock
from authsvc.errors import AuthError
from authsvc.signing.sealing import SealBroken
from authsvc.storage import restore
from authsvc.storage.base import Store, TrustState
from authsvc.storage.errors import SchemaTooOld, StoreInUse, StoreRefused
from authsvc.storage.postgres.lock import RESTORED
from tests.restoring.test_backups import anything
from tests.restoring.test_places import Interrupted
from tests.storage.places import PostgresPlace, SettableClock
from tests.storage.postgres.server import Server
from tests.storage.records import APP, an_audit, keep_app, keep_session


@pytest.fixture
def place(postgres: Server) -> Iterator[PostgresPlace]:
    """A database with the schema and nothing else."""
    with postgres.migrated() as name:
        place = PostgresPlace(name, postgres.url(name))
        yield place
        place.close()


def cut_and_restored(postgres: Server, place: PostgresPlace) -> bool:
    """Cut all connections and restore at once; False where the server was faster and has its lock again."""
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(cut, (place.database,))
    try:
        restore(place.url, None, check=anything, progress=lambda _: None, clock=system_clock)
    except StoreInUse:
        return False
    return True


def outcome(store: Store) -> str:
    """Why a change is refused; nothing where it is not."""
    try:
        store.raise_watermark(APP, None, an_audit())
    except AuthError as refused:
        return refused.detail
    return ""


def sealed_otherwise(_: TrustState) -> None:
    raise SealBroken("under another KEK")


@pytest.mark.parametrize("step", ["checking", "revoking", "done"])
def test_interrupted_at_each_step(place: PostgresPlace, clock: SettableClock, step: str) -> None:
    """Nothing is changed before all is committed, and the command again does it."""
    keep_session(place.open(clock=clock))
    place.close()

    def progress(now: str) -> None:
        if now == step:
            raise Interrupted

    with pytest.raises(Interrupted):
        restore(place.url, None, check=anything, progress=progress, clock=system_clock)
    store = place.open(clock=clock)
    assert (store.epoch, len(store.trust_state().watermarks)) == ((2, 1) if step == "done" else (1, 0))
    store.close()
    done = restore(place.url, None, check=anything, progress=lambda _: None, clock=system_clock)
    store = place.open(clock=clock)
    assert (store.epoch, store.trust_state().revision) == (done.epoch, done.revision)


def test_what_the_check_refuses_stays(place: PostgresPlace, clock: SettableClock) -> None:
    """Where the KEK does not open it, nothing is changed."""
    keep_app(place.open(clock=clock))
    place.close()
    with pytest.raises(SealBroken):
        restore(place.url, None, check=sealed_otherwise, progress=lambda _: None, clock=system_clock)
    assert place.open(clock=clock).epoch == 1


def test_one_at_a_time(place: PostgresPlace, clock: SettableClock) -> None:
    """While a server has it open nothing is restored."""
    place.open(clock=clock)
    with pytest.raises(StoreInUse):
        restore(place.url, None, check=anything, progress=lambda _: None, clock=system_clock)


def test_an_older_schema_is_migrated_first(postgres: Server) -> None:
    """A backup of an older version is refused with the command that helps."""
    with postgres.empty() as name, pytest.raises(SchemaTooOld, match="authsvc migrate"):
        restore(postgres.url(name), None, check=anything, progress=lambda _: None, clock=system_clock)


def test_something_else_is_refused(postgres: Server) -> None:
    """A database with tables of others is not touched."""
    with postgres.empty() as name:
        with psycopg.connect(postgres.url(name), autocommit=True) as connection:
            connection.execute("CREATE TABLE people (name text)")
        with pytest.raises(StoreRefused, match="something else"):
            restore(postgres.url(name), None, check=anything, progress=lambda _: None, clock=system_clock)


def test_a_process_of_the_epoch_before_stays_refused(
    postgres: Server, place: PostgresPlace, clock: SettableClock
) -> None:
    """A server whose connections were cut, and whose store somebody restored then, does not serve it any more."""
    store = place.open(clock=clock)
    keep_app(store)
    assert any(cut_and_restored(postgres, place) for _ in range(20))
    assert RESTORED in (outcome(store) for _ in range(50))  # a connection may end later than its lock
    assert {outcome(store) for _ in range(5)} == {RESTORED}
