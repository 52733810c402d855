"""Forgetting waits for nobody, and nobody waits for it for long: rows that are held are left for another time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from authsvc.clock import deadline_after
from authsvc.model import LogLevel, TokenId, User, UserId
from authsvc.storage.base import Purged, Store
from authsvc.storage.rows.purging import MOST_ROWS
from tests.storage.crowd import Background, all_at_once
from tests.storage.places import START, Place, SettableClock
from tests.storage.postgres.conftest import Connection
from tests.storage.postgres.test_commit_order import waiters
from tests.storage.postgres.waiting import eventually
from tests.storage.records import APP, WHOLE, an_audit, keep_app, keep_session, turn

HOUR = timedelta(hours=1)

KEPT: dict[str, Callable[[Store], object]] = {
    "sessions": lambda store: keep_session(store, idle_expires_at=START),
    "revoked_tokens": lambda store: store.revoke_token(APP, TokenId("jti"), START, an_audit()),
    "watermarks": lambda store: store.raise_watermark(APP, None, an_audit()),
    "log_levels": lambda store: store.set_levels([LogLevel("rpc", "warn", START)], reset=False, audit=an_audit()),
}


def purge(store: Store) -> Purged:
    return store.purge(limit=10_000, keep_revisions=10_000)


@pytest.mark.parametrize("table", KEPT)
def test_what_is_held_is_left(store: Store, clock: SettableClock, raw: Connection, table: str) -> None:
    """While another transaction holds a row the purge ends without it, and says so; later the row goes."""
    keep_app(store)
    KEPT[table](store)
    clock.now = START + 2 * WHOLE
    with raw.transaction():
        raw.execute(f"SELECT FROM {table} FOR UPDATE")
        held = purge(store)
    assert (held.removed[table], held.complete) == (0, False)
    let_go = purge(store)
    assert (let_go.removed[table], let_go.complete) == (1, True)


def test_the_feed_is_removed_in_order(store: Store, raw: Connection, rival: Connection) -> None:
    """Whoever purges the feed waits for another who does: a later revision never goes before an earlier one."""
    keep_app(store)
    head = max(store.raise_watermark(APP, UserId(f"user-{number}"), an_audit()) for number in range(5))
    with raw.transaction():
        raw.execute("SELECT FROM feed WHERE revision = 1 FOR UPDATE")
        purging = Background(partial(store.purge, limit=100, keep_revisions=0))
        eventually(lambda: waiters(rival) == 1)
        assert rival.execute("SELECT count(DISTINCT revision) FROM feed").fetchall() == [(head,)]
    assert isinstance(purging.outcome(), Purged)
    assert store.counts()["feed"] == 0


def test_a_turn_is_not_lost_to_a_purge(store: Store, clock: SettableClock, raw: Connection, rival: Connection) -> None:
    """A purge that comes while a session turns leaves it, though its row says that it is due; the turn is kept."""
    session = keep_session(store, idle_expires_at=START + HOUR)
    raw.execute("BEGIN")
    raw.execute("SELECT FROM sessions FOR UPDATE")
    turning = Background(partial(turn, store, session, deadline=deadline_after(30)))
    eventually(lambda: waiters(rival) == 1)
    clock.now = START + 4 * HOUR
    assert purge(store).removed["sessions"] == 0
    raw.execute("COMMIT")
    assert turning.outcome() is not None
    assert purge(store).removed["sessions"] == 0
    assert store.counts()["sessions"] == 1


def test_purges_and_changes_end_each_other_never(store: Store, place: Place, clock: SettableClock) -> None:
    """While two purge, sessions turn and end and watermarks rise, and no call fails: nobody waits in a circle."""
    other = place.open(clock=clock)
    keep_app(store)
    for number in range(3 * MOST_ROWS):
        keep_session(store, idle_expires_at=START, user=User(UserId(f"user-{number}")))
    sessions = [keep_session(store, idle_expires_at=START + WHOLE) for _ in range(40)]
    for number in range(100):
        store.raise_watermark(APP, UserId(f"user-{number}"), an_audit(), issued_before=START - 2 * WHOLE)
    clock.now = START + 3 * HOUR
    calls: list[Callable[[], object]] = [partial(_until_complete, each) for each in (store, other) * 2]
    calls += [partial(turn, each, session) for each, session in zip((store, other) * 20, sessions, strict=True)]
    calls += [partial(other.revoke_session, session.id, "logout", an_audit()) for session in sessions[:20]]
    calls += [partial(store.raise_watermark, APP, UserId(f"user-{n}"), an_audit()) for n in range(20)]
    outcomes = all_at_once(calls)
    assert [outcome for outcome in outcomes if isinstance(outcome, BaseException)] == []
    assert store.counts()["sessions"] == len(sessions)


def _until_complete(store: Store) -> bool:
    while not purge(store).complete:
        pass
    return True
