"""Two stores on one database, each following the other: nothing is missed, whatever happens to the connections."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import pytest

from authsvc.errors import DeadlinePassed, Unavailable
from authsvc.model import Commit, Revision, Session, SessionRevoked, UserId, Watermark
from authsvc.storage.base import Store
from tests.storage.crowd import all_at_once
from tests.storage.places import PostgresPlace, SettableClock
from tests.storage.postgres.server import Server
from tests.storage.postgres.test_postgres_recovery import DISASTERS, answers
from tests.storage.postgres.waiting import eventually
from tests.storage.records import APP, an_audit, keep_app, keep_session, turn

WRITERS: Final = 4
EACH: Final = 25
LOOK_EVERY: Final = 0.25


class Follower:
    """Follows a store as a server does: looks when there is a hint, and after a while in any case."""

    def __init__(self, store: Store, after: Revision) -> None:
        self.commits: list[Commit] = []
        self.reached = after
        self._store = store
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def revisions(self) -> list[int]:
        return [commit.revision for commit in self.commits]

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._store.await_hint(LOOK_EVERY)
            with contextlib.suppress(Unavailable, DeadlinePassed):
                while page := self._page():
                    self.commits += page
                    self.reached = page[-1].revision

    def _page(self) -> tuple[Commit, ...]:
        page = self._store.changes_since(self.reached, limit=7)
        assert page is not None
        return page.commits


@pytest.fixture
def pair(place: PostgresPlace, clock: SettableClock) -> tuple[Store, Store]:
    """Two stores on the same data, which has an app."""
    stores = place.open(clock=clock), place.open(clock=clock)
    keep_app(stores[0])
    return stores


@pytest.fixture
def followers(pair: tuple[Store, Store]) -> Iterator[list[Follower]]:
    """One for each of them, from the head on."""
    head = pair[0].trust_state().revision
    followers = [Follower(store, head) for store in pair]
    yield followers
    for follower in followers:
        follower.end()


def has_reached(follower: Follower, revision: int) -> bool:
    return follower.reached == revision


def revoke_until(ended: Callable[[int], bool], store: Store, user: UserId) -> list[Revision]:
    """The revisions of revocations of one user's that were acknowledged, until it is said to be enough.

    One that was refused may have been made all the same.
    """
    revisions = list[Revision]()
    while not ended(len(revisions)):
        try:
            revisions.append(store.raise_watermark(APP, user, an_audit()))
        except (Unavailable, DeadlinePassed):
            threading.Event().wait(0.01)
    return revisions


def writing(pair: tuple[Store, Store], ended: Callable[[int], bool]) -> list[Callable[[], list[Revision]]]:
    """Writers on both."""
    return [
        partial(revoke_until, ended, store, UserId(f"user-{place}-{number}"))
        for place, store in enumerate(pair)
        for number in range(WRITERS)
    ]


def test_each_sees_what_both_committed(pair: tuple[Store, Store], followers: list[Follower]) -> None:
    """However both write, each follower reads every revision once, in order and without a gap, the other's too."""
    start = followers[0].reached
    outcomes = all_at_once(writing(pair, lambda made: made == EACH))
    written = sorted(revision for outcome in outcomes for revision in outcome)  # type: ignore[union-attr]
    assert written == list(range(start + 1, start + 1 + 2 * WRITERS * EACH))
    for follower in followers:
        eventually(partial(has_reached, follower, written[-1]))
        assert follower.revisions == written
        users = {
            change.user_id for commit in follower.commits for change in commit.changes if type(change) is Watermark
        }
        assert len(users) == 2 * WRITERS


@pytest.mark.parametrize("disaster", [*DISASTERS, "listeners thrown out"])
def test_nothing_is_missed_in_a_disaster(
    place: PostgresPlace,
    postgres_server: Server,
    pair: tuple[Store, Store],
    followers: list[Follower],
    disaster: str,
) -> None:
    """Whatever is cut while both write, each follower ends up with every revision there is, acknowledged or not."""
    start, ended = followers[0].reached, threading.Event()

    def strike() -> list[Revision]:
        try:
            for _ in range(3):
                wanted = len(followers[0].commits) + 2 * WRITERS
                eventually(lambda wanted=wanted: len(followers[0].commits) > wanted)  # type: ignore[misc]
                STRIKES[disaster](postgres_server, place.database)
        finally:
            ended.set()
        return []

    outcomes = all_at_once([*writing(pair, lambda _: ended.is_set()), strike])
    acknowledged = {revision for outcome in outcomes for revision in outcome}  # type: ignore[union-attr]
    eventually(lambda: answers(pair[0]))
    head = pair[0].trust_state().revision
    for follower in followers:
        eventually(partial(has_reached, follower, head))
        assert follower.revisions == list(range(start + 1, head + 1))
        assert acknowledged <= set(follower.revisions)
    assert len(acknowledged) > 2 * WRITERS


def throw_out_listeners(server: Server, database: str) -> None:
    """End the sessions that hear of commits."""
    with server.connect(database) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'authsvc (listening)' AND datname = current_database()"
        )


STRIKES: Final = {**DISASTERS, "listeners thrown out": throw_out_listeners}


def test_a_revoke_here_is_known_there(pair: tuple[Store, Store], followers: list[Follower]) -> None:
    """A session ended on one is refused by the other at once, and its follower is told of it."""
    here, there = pair
    for _ in range(20):
        session: Session = keep_session(here)
        here.revoke_session(session.id, "logout", an_audit())
        assert turn(there, session) is None
        eventually(partial(_was_told, followers[1], session))


def _was_told(follower: Follower, session: Session) -> bool:
    changes = [change for commit in follower.commits for change in commit.changes]
    return any(isinstance(change, SessionRevoked) and change.session_id == session.id for change in changes)
