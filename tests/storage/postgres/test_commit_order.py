"""Revisions are given in commit order, and this process's commits are told in that order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import psycopg
import pytest

from authsvc.clock import deadline_after
from authsvc.model import Commit, Revision
from authsvc.storage.base import Store
from authsvc.storage.postgres.announcing import Announcement, Announcer, Fate
from authsvc.storage.postgres.database import Database
from authsvc.storage.postgres.link import Link
from authsvc.storage.postgres.transaction import Transaction
from authsvc.storage.postgres.transactions import fate_of
from tests.storage.crowd import Background
from tests.storage.postgres.conftest import Connection
from tests.storage.postgres.waiting import eventually
from tests.storage.records import an_app, an_audit


@pytest.fixture
def links(database: Database, store: Store) -> Iterator[list[Link]]:
    """Three connections as the store has them."""
    links = [database.connect() for _ in range(3)]
    yield links
    for link in links:
        link.close()


class Follower:
    """Reads what was committed beyond the last revision it has seen, as one who follows the feed does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.seen: list[int] = [0]

    def look(self) -> None:
        page = self._store.changes_since(Revision(self.seen[-1]))
        assert page is not None
        self.seen += [commit.revision for commit in page.commits]


def publishing(link: Link) -> Transaction:
    """A transaction that has done its work, taken its number and not committed yet."""
    transaction = Transaction(link, deadline_after(30), None)
    transaction.publish(transaction.next_revision(), (an_app(),), an_audit())
    return transaction


def waiters(connection: Connection) -> object:
    """How many sessions of this database wait for a lock."""
    statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return connection.execute(statement).fetchall()[0][0]


def test_a_later_number_is_never_seen_first(store: Store, links: list[Link], rival: Connection) -> None:
    """Who is second to ask for a number waits until the first has committed, so a follower misses neither."""
    follower = Follower(store)
    first = publishing(links[0])
    second = Background(lambda: publishing(links[1]).finish())
    eventually(lambda: waiters(rival) == 1)
    follower.look()
    assert follower.seen == [0]
    first.finish()
    follower.look()
    second.outcome()
    follower.look()
    assert follower.seen == [0, 1, 2]


NUMBERS_FROM_A_SEQUENCE = """
DROP TABLE feed_head;
CREATE VIEW feed_head AS SELECT coalesce(max(revision), 0) AS revision FROM feed;
CREATE SEQUENCE revisions;
"""
PUBLISH = "INSERT INTO feed VALUES (nextval('revisions'), 0, 'app', %s, '')"


def test_a_sequence_would_lose_a_change(store: Store, raw: Connection, rival: Connection) -> None:
    """The control: with numbers from a sequence the same two transactions make a follower miss one for ever."""
    raw.execute(NUMBERS_FROM_A_SEQUENCE)
    follower = Follower(store)
    raw.execute(PUBLISH, ("before",))
    follower.look()
    with rival.transaction():
        rival.execute(PUBLISH, ("first",))
        raw.execute(PUBLISH, ("second",))
        follower.look()
    follower.look()
    raw.execute(PUBLISH, ("third",))
    follower.look()
    assert raw.execute("SELECT revision FROM feed ORDER BY revision").fetchall() == [(1,), (2,), (3,), (4,)]
    assert follower.seen == [0, 1, 3, 4]


def test_an_undone_change_gives_its_number_back(links: list[Link], raw: Connection) -> None:
    """The number of a transaction that was undone is the next one's."""
    publishing(links[0]).undo()
    publishing(links[1]).finish()
    assert raw.execute("SELECT DISTINCT revision FROM feed").fetchall() == [(1,)]


class Hearing:
    """An announcer, and what its listener heard."""

    def __init__(self, link: Link) -> None:
        self.heard: list[Revision] = []
        self.ask = partial(fate_of, link)
        self.announcer = Announcer()
        self.announcer.listen(self._hear)

    def expect(self, transaction: Transaction) -> Announcement:
        assert transaction.commit is not None
        return self.announcer.expect(transaction.commit, transaction.transaction_id)

    def _hear(self, commit: Commit) -> None:
        self.heard.append(commit.revision)


def test_who_is_late_is_told_of_first(links: list[Link]) -> None:
    """A commit whose thread has not come back is told before a later one, once, and its thread finds it done."""
    hearing = Hearing(links[2])
    first = publishing(links[0])
    of_first = hearing.expect(first)
    first.finish()
    second = publishing(links[1])
    of_second = hearing.expect(second)
    second.finish()
    hearing.announcer.kept(of_second, hearing.ask)
    assert hearing.heard == [1, 2]
    hearing.announcer.kept(of_first, hearing.ask)
    assert hearing.heard == [1, 2]


def test_what_was_undone_is_not_told(links: list[Link]) -> None:
    """A transaction that the server undid behind its thread's back is not told, though its number is used again."""
    hearing = Hearing(links[2])
    first = publishing(links[0])
    hearing.expect(first)
    links[0].close()
    second = publishing(links[1])
    of_second = hearing.expect(second)
    second.finish()
    hearing.announcer.kept(of_second, hearing.ask)
    assert hearing.heard == [1]
    assert not hearing.announcer.behind


def test_what_was_left_behind_is_told_when_somebody_asks(links: list[Link]) -> None:
    """A commit whose answer was lost is told by whoever asks for what was left behind, and only once."""
    hearing = Hearing(links[2])
    first = publishing(links[0])
    of_first = hearing.expect(first)
    first.finish()
    hearing.announcer.catch_up(hearing.ask)
    assert hearing.heard == []  # its thread is still to say
    hearing.announcer.lost(of_first)
    for _ in range(2):
        hearing.announcer.catch_up(hearing.ask)
        assert hearing.heard == [1]


def test_what_is_still_going_on_is_waited_for(links: list[Link]) -> None:
    """A transaction that was cut off but not undone yet is neither told nor forgotten."""
    hearing = Hearing(links[2])
    first = publishing(links[0])
    hearing.announcer.lost(hearing.expect(first))
    hearing.announcer.catch_up(hearing.ask)
    assert hearing.heard == []
    first.finish()
    hearing.announcer.catch_up(hearing.ask)
    assert hearing.heard == [1]


def test_a_fate_that_cannot_be_asked_for_stops_nobody_for_ever(links: list[Link]) -> None:
    """When the server cannot be asked, the commit stands untold; the next one tells both, in order."""
    hearing = Hearing(links[2])
    first, lost = publishing(links[0]), links[1]
    hearing.announcer.lost(hearing.expect(first))
    first.finish()
    second = publishing(links[1])
    of_second = hearing.expect(second)
    second.finish()
    lost.close()
    with pytest.raises(psycopg.OperationalError):
        hearing.announcer.kept(of_second, partial(fate_of, lost))
    assert hearing.heard == []
    assert hearing.announcer.behind
    third = publishing(links[0])
    of_third = hearing.expect(third)
    third.finish()
    hearing.announcer.kept(of_third, hearing.ask)
    assert hearing.heard == [1, 2, 3]


def test_a_server_that_never_saw_a_transaction_did_not_keep_it(links: list[Link]) -> None:
    """A number that is yet to come, as after a restore, counts as undone; one that committed as kept."""
    first = publishing(links[0])
    assert fate_of(links[1], first.transaction_id) is Fate.OPEN
    first.finish()
    assert fate_of(links[1], first.transaction_id) is Fate.KEPT
    assert fate_of(links[1], first.transaction_id + 10**9) is Fate.UNDONE
