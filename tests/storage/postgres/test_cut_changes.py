"""Connections that break around the commit of a change that is followed: it is made or not, and never acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from authsvc.errors import Reason, Unavailable
from authsvc.model import Commit, KeyId, KeyState, LogLevel, SealedSecret, TokenId
from authsvc.storage.base import Store
from authsvc.storage.postgres import open_postgres
from authsvc.storage.rows.purging import MOST_ROWS
from tests.storage.places import START, PostgresPlace, SettableClock
from tests.storage.postgres.server import Server
from tests.storage.postgres.waiting import eventually
from tests.storage.postgres.wire import Cut, Wire
from tests.storage.records import APP, SARA, a_key, an_account, an_audit, keep_session

SECRET = SealedSecret("mac", 0, b"first", START)
PENDING = a_key(key_id=KeyId("key-2"), state=KeyState.PENDING)
LEVEL = LogLevel("rpc", "warn", START + timedelta(days=1))

CHANGES: dict[str, Callable[[Store], object]] = {
    "edit keys": lambda store: store.edit_keys(APP, lambda keys: (*keys, PENDING), an_audit()),
    "edit an app": lambda store: store.edit_app(APP, lambda app: replace(app, ever_non_expiring=True), an_audit()),
    "create an account": lambda store: store.create_account(an_account(), an_audit()),
    "revoke a token": lambda store: store.revoke_token(APP, TokenId("other"), None, an_audit()),
    "clear a token": lambda store: store.clear_token(APP, TokenId("jti"), an_audit()),
    "raise a watermark": lambda store: store.raise_watermark(APP, None, an_audit()),
    "clear a watermark": lambda store: store.clear_watermark(APP, SARA, an_audit()),
    "set levels": lambda store: store.set_levels([LEVEL], reset=True, audit=an_audit()),
    "add a secret": lambda store: store.add_secret(replace(SECRET, number=1)),
    "replace a secret": lambda store: store.replace_secret(replace(SECRET, sealed=b"second"), b"first"),
    "remove a secret": lambda store: store.remove_secret("mac", 0),
}


def a_network(server: Server, table: str) -> Iterator[Wire]:
    """What breaks the next commit of a transaction that ends by changing that table."""
    wire = Wire(server.socket, table=table)
    yield wire
    wire.close()


@pytest.fixture
def wire(postgres_server: Server) -> Iterator[Wire]:
    """A network that breaks around the next commit that has a revision."""
    yield from a_network(postgres_server, "feed")


@pytest.fixture
def purged_wire(postgres_server: Server) -> Iterator[Wire]:
    """A network that breaks around the next commit that removes sessions."""
    yield from a_network(postgres_server, "sessions")


def behind(wire: Wire, place: PostgresPlace, clock: SettableClock) -> Store:
    """A store on the other side of a network."""
    url = f"postgresql://postgres@127.0.0.1:{wire.port}/{place.database}?sslmode=disable&gssencmode=disable"
    return open_postgres(url, exclusive=False, present=clock)


@pytest.fixture
def store(wire: Wire, place: PostgresPlace, clock: SettableClock) -> Iterator[Store]:
    """A store there, with something of everything."""
    with closing(behind(wire, place, clock)) as store:
        keep_session(store)
        store.revoke_token(APP, TokenId("jti"), None, an_audit())
        store.raise_watermark(APP, SARA, an_audit())
        store.add_secret(SECRET)
        store.set_levels([replace(LEVEL, scope="storage")], reset=False, audit=an_audit())
        yield store


@pytest.mark.parametrize(("cut", "kept"), [(Cut.BEFORE_COMMIT, False), (Cut.AFTER_COMMIT, True)])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_whose_answer_is_lost(
    store: Store, wire: Wire, place: PostgresPlace, clock: SettableClock, name: str, cut: Cut, kept: bool
) -> None:
    """It is refused; what was kept is told once and read by followers, what was not is never heard of."""
    before, heard, other = store.trust_state(), list[Commit](), place.open(clock=clock)
    store.listen(heard.append)
    wire.cut(cut)
    with pytest.raises(Unavailable) as refusal:
        CHANGES[name](store)
    assert (refusal.value.reason, wire.broken) == (Reason.STORE_UNAVAILABLE, 1)
    eventually(lambda: (other.trust_state() != before) is kept)
    store.ping()
    page = other.changes_since(before.revision)
    assert page is not None
    assert [commit.revision for commit in heard] == [before.revision + 1] * kept
    assert page.commits == tuple(heard)


@pytest.mark.parametrize("cut", [Cut.BEFORE_COMMIT, Cut.AFTER_COMMIT])
def test_a_purge_whose_answer_is_lost(purged_wire: Wire, place: PostgresPlace, clock: SettableClock, cut: Cut) -> None:
    """It is refused, leaves a whole step or none, and the next one goes on from there."""
    with closing(behind(purged_wire, place, clock)) as store:
        for _ in range(250):
            keep_session(store, idle_expires_at=START)
        clock.advance(timedelta(hours=3))
        purged_wire.cut(cut)
        with pytest.raises(Unavailable):
            store.purge(limit=1000, keep_revisions=1)
        left = 250 if cut is Cut.BEFORE_COMMIT else 250 - MOST_ROWS
        eventually(lambda: store.counts()["sessions"] == left)
        assert store.purge(limit=1000, keep_revisions=1).removed["sessions"] == left
        assert purged_wire.broken == 1
