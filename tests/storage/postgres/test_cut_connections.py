"""Connections that break in the middle of a conversation: nothing is acknowledged that may be lost."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from authsvc.clock import deadline_after
from authsvc.errors import Reason, Unavailable
from authsvc.model import App, Commit, SessionRevoked
from authsvc.storage.base import Store
from authsvc.storage.postgres import open_postgres
from tests.storage.places import PostgresPlace, SettableClock
from tests.storage.postgres.conftest import Connection
from tests.storage.postgres.server import Server
from tests.storage.postgres.waiting import eventually
from tests.storage.postgres.wire import Cut, Wire
from tests.storage.records import a_session, an_audit, keep_app, keep_session, now_kept, turn


@pytest.fixture
def wire(postgres_server: Server) -> Iterator[Wire]:
    """The network between the store and the server."""
    wire = Wire(postgres_server.socket)
    yield wire
    wire.close()


@pytest.fixture
def store(wire: Wire, raw: Connection, clock: SettableClock) -> Iterator[Store]:
    """A store on the other side of that network."""
    url = f"postgresql://postgres@127.0.0.1:{wire.port}/{raw.info.dbname}?sslmode=disable&gssencmode=disable"
    store = open_postgres(url, exclusive=False, present=clock)
    yield store
    store.close()


@pytest.mark.parametrize(("cut", "generation"), [(Cut.BEFORE_COMMIT, 0), (Cut.AFTER_COMMIT, 1)])
def test_a_turn_whose_answer_is_lost_is_not_acknowledged(store: Store, wire: Wire, cut: Cut, generation: int) -> None:
    """When the connection breaks around the commit the caller gets UNAVAILABLE, whatever became of the turn."""
    session = keep_session(store)
    wire.cut(cut)
    with pytest.raises(Unavailable) as refusal:
        turn(store, session)
    assert refusal.value.reason is Reason.STORE_UNAVAILABLE
    assert refusal.value.detail == "OperationalError (outcome unknown)"
    assert now_kept(store, session).generation == generation
    assert turn(store, session, generation) is not None
    assert wire.broken == 1


@pytest.mark.parametrize(("cut", "opened"), [(Cut.BEFORE_COMMIT, 0), (Cut.AFTER_COMMIT, 1)])
def test_a_session_whose_opening_was_lost_is_opened_once(store: Store, wire: Wire, cut: Cut, opened: int) -> None:
    """Opening it again after a lost answer gives the one session, whether it was kept the first time or not."""
    keep_app(store)
    session = a_session()
    wire.cut(cut)
    with pytest.raises(Unavailable):
        store.open_session(session)
    assert store.counts()["sessions"] == opened
    assert store.open_session(session).id == session.id
    assert store.counts()["sessions"] == 1


@pytest.mark.parametrize(("cut", "heard"), [(Cut.BEFORE_COMMIT, False), (Cut.AFTER_COMMIT, True)])
def test_the_listener_hears_what_was_kept(store: Store, wire: Wire, cut: Cut, heard: bool) -> None:
    """A revoke whose answer was lost is told to the listener once it is known to be kept; one that was undone never."""
    session, commits = keep_session(store), list[Commit]()
    store.listen(commits.append)
    wire.cut(cut)
    with pytest.raises(Unavailable):
        store.revoke_session(session.id, "logout", an_audit())
    eventually(lambda: (now_kept(store, session).revoked_at is not None) is heard)
    store.ping()
    assert len(commits) == heard
    assert [type(change) for commit in commits for change in commit.changes] == [SessionRevoked] * heard
    assert store.revoke_session(session.id, "logout", an_audit()) is not heard
    assert [commit.revision for commit in commits] == [store.trust_state().revision]


@pytest.mark.parametrize(("cut", "kept"), [(Cut.BEFORE_COMMIT, False), (Cut.AFTER_COMMIT, True)])
def test_a_follower_reads_what_was_kept(store: Store, wire: Wire, cut: Cut, kept: bool) -> None:
    """A revoke whose answer was lost is in the feed where it was kept, and its revision is the next one's otherwise."""
    session, head = keep_session(store), store.trust_state().revision
    wire.cut(cut)
    with pytest.raises(Unavailable):
        store.revoke_session(session.id, "logout", an_audit())
    eventually(lambda: (now_kept(store, session).revoked_at is not None) is kept)
    other = keep_app(store, "other")
    page = store.changes_since(head)
    assert page is not None
    assert [type(commit.changes[0]) for commit in page.commits] == [SessionRevoked] * kept + [App]
    assert other.revision == page.head == head + 1 + kept


def test_a_server_that_does_not_answer_holds_nobody(store: Store, wire: Wire) -> None:
    """When the answer to a commit never comes, the call ends soon after its deadline, and the next one is served."""
    session = keep_session(store)
    wire.cut(Cut.STALL)
    begun = time.monotonic()
    with pytest.raises(Unavailable) as refusal:
        turn(store, session, deadline=deadline_after(0.2))
    assert 0.2 < time.monotonic() - begun < 5
    assert refusal.value.detail == "Stalled (outcome unknown)"
    assert turn(store, session, 1) is not None


def test_an_idle_connection_that_broke_is_not_used(place: PostgresPlace, clock: SettableClock, raw: Connection) -> None:
    """After all idle connections were cut the very next calls succeed; nobody pays for them."""
    store = place.open(clock=clock)
    session = keep_session(store)
    for generation in range(5):
        raw.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'authsvc' AND datname = current_database()"
        )
        assert turn(store, session, generation) is not None
