"""The store's numbers over PostgreSQL: each transaction is a batch, committed or failed."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from authsvc.clock import deadline_after
from authsvc.errors import DeadlinePassed, NotFound, Unavailable
from authsvc.logs import JsonLines, LoggerSystem
from authsvc.metrics.store import StoreMetrics
from authsvc.model import ApiKey, Session, TokenId
from authsvc.storage.base import Store, Turn
from authsvc.storage.batches import StoreObserver
from authsvc.storage.logged import StoreLines
from authsvc.storage.postgres import open_postgres
from tests.storage.places import PostgresPlace, SettableClock
from tests.storage.postgres.conftest import Connection
from tests.storage.postgres.server import Server
from tests.storage.postgres.wire import Cut, Wire
from tests.storage.records import APP, IDLE, SARA, an_audit, keep_session, turn

Numbers = dict[str, float]
Change = Callable[[Store, Session], object]


@pytest.fixture
def metrics() -> StoreMetrics:
    """What counts."""
    return StoreMetrics()


@pytest.fixture
def observer(metrics: StoreMetrics) -> StoreObserver:
    """Who has it counted, as in a server; what is logged as well is looked at elsewhere."""
    logs = LoggerSystem(["storage"], built_in=JsonLines(io.StringIO()))
    return StoreLines(logs.get_logger("storage"), metrics)


@pytest.fixture
def store(place: PostgresPlace, clock: SettableClock, observer: StoreObserver) -> Iterator[Store]:
    """A store that is counted."""
    with closing(open_postgres(place.url, exclusive=False, present=clock, observer=observer)) as store:
        yield store


def numbers(metrics: StoreMetrics) -> Numbers:
    """What a scrape would find now, without the buckets."""
    samples = [sample for family in metrics.families() for sample in family.samples]
    return {
        sample.labels.get("outcome") or sample.name.removeprefix("authsvc_store_"): sample.value
        for sample in samples
        if "le" not in sample.labels
    }


def grown(metrics: StoreMetrics, call: Callable[[], object]) -> Numbers:
    """By how much each of them grows meanwhile."""
    before = numbers(metrics)
    call()
    after = numbers(metrics)
    return {name: after[name] - before[name] for name in after}


CHANGES: dict[str, Change] = {
    "one statement": turn,
    "several statements": lambda store, session: store.revoke_session(session.id, "x", an_audit()),
    "a health check": lambda store, _: store.ping(),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_transaction_is_a_batch_of_one_change(store: Store, metrics: StoreMetrics, what: str) -> None:
    """Whatever is changed by itself counts as one committed batch of one change, and took some time."""
    session = keep_session(store)
    found = grown(metrics, lambda: CHANGES[what](store, session))
    assert 0 < found.pop("commit_seconds_sum") < 10
    assert found == {
        "committed": 1,
        "failed": 0,
        "batch_changes_count": 1,
        "batch_changes_sum": 1,
        "commit_seconds_count": 1,
    }


def test_turns_that_are_sent_together_are_one_batch(store: Store, metrics: StoreMetrics) -> None:
    """Turns of several sessions count as one committed batch of as many changes."""
    turns = [Turn(keep_session(store).id, 0, b"r" * 32, IDLE) for _ in range(3)]
    found = grown(metrics, lambda: store.turn_sessions(turns))
    assert (found["committed"], found["batch_changes_sum"], found["commit_seconds_count"]) == (1, 3, 1)


def test_what_changes_nothing_is_no_batch(store: Store, metrics: StoreMetrics, raw: Connection) -> None:
    """What only looks, what a unit refuses and what had too little time are neither committed nor failed."""
    session = keep_session(store)

    def refused() -> None:
        store.session_state(session.id)
        store.trust_state()
        with pytest.raises(NotFound):
            store.revoke_token(ApiKey("nowhere"), TokenId("t"), None, an_audit())
        with raw.transaction():
            raw.execute("SELECT FROM sessions FOR UPDATE")
            with pytest.raises(DeadlinePassed):
                turn(store, session, deadline=deadline_after(0.1))

    assert set(grown(metrics, refused).values()) == {0}


@pytest.mark.parametrize("code", ["53100", "40001"])
@pytest.mark.parametrize("what", ["one statement", "several statements"])
def test_a_commit_that_the_server_refuses_has_failed(
    store: Store, metrics: StoreMetrics, raw: Connection, code: str, what: str
) -> None:
    """A change that cannot be made durable, at once or after all attempts, is one that failed, and none committed."""
    session = keep_session(store)
    raw.execute(f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE SQLSTATE '{code}'; END$$")
    raw.execute(
        "CREATE CONSTRAINT TRIGGER fail AFTER UPDATE ON sessions DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION fail()"
    )

    def change() -> None:
        with pytest.raises(Unavailable):
            CHANGES[what](store, session)

    found = grown(metrics, change)
    assert (found["failed"], found["committed"]) == (1, 0)


def test_a_commit_in_doubt_has_failed(
    postgres_server: Server, place: PostgresPlace, clock: SettableClock, metrics: StoreMetrics, observer: StoreObserver
) -> None:
    """A commit whose answer was lost was not acknowledged, and is not counted as if it had been."""
    with closing(Wire(postgres_server.socket, table="watermarks")) as wire:
        url = f"postgresql://postgres@127.0.0.1:{wire.port}/{place.database}?sslmode=disable&gssencmode=disable"
        with closing(open_postgres(url, exclusive=False, present=clock, observer=observer)) as store:
            keep_session(store)
            wire.cut(Cut.AFTER_COMMIT)

            def change() -> None:
                with pytest.raises(Unavailable):
                    store.raise_watermark(APP, SARA, an_audit())

            found = grown(metrics, change)
    assert (found["failed"], found["committed"]) == (1, 0)
