"""Two processes over one store: what both want to do is done once, and both end with the same keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from authsvc.errors import AlreadyExists
from authsvc.model import App, KeyState, TokenStatus
from authsvc.signing.lifecycle import LEAD_TIME
from authsvc.trust.view import TrustView
from tests.conftest import HandClock
from tests.keys.scene import ACME, Worker, a_worker
from tests.storage.crowd import all_at_once
from tests.storage.postgres.server import Server

ACTIVE, PENDING, RETIRED, REVOKED = KeyState.ACTIVE, KeyState.PENDING, KeyState.RETIRED, KeyState.REVOKED


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server."""
    server = Server()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where both keep what they share; empty: in their directory."""
    if request.param == "sqlite":
        yield ""
        return
    server: Server = request.getfixturevalue("postgres")
    with server.migrated() as database:
        yield server.url(database)


@pytest.fixture
def pair(state_dir: Path, clock: HandClock, store: str) -> Iterator[tuple[Worker, Worker]]:
    """Two workers with one clock, over a new store."""
    with a_worker(state_dir, clock, store=store) as one, a_worker(state_dir, clock, store=store) as other:
        yield one, other


def follow(*workers: Worker) -> None:
    for worker in workers:
        assert worker.domain.follower.look()


def test_an_empty_store_ends_with_one_key(pair: tuple[Worker, Worker]) -> None:
    """Of two processes that make the same app together one does; both then have its one key."""
    outcomes = all_at_once([worker.new_app for worker in pair])
    assert {type(outcome) for outcome in outcomes} == {App, AlreadyExists}
    follow(*pair)
    (first,), (second,) = (worker.states() for worker in pair)
    assert first == second
    for worker in pair:
        assert worker.status(pair[0].token()) is TokenStatus.ACTIVE


def test_a_rotation_of_both_at_once_has_one_successor(pair: tuple[Worker, Worker]) -> None:
    """Both are told of one and the same pending key, whichever of them made it."""
    pair[0].new_app()
    follow(*pair)
    successors = all_at_once([worker.rotate for worker in pair] * 4)
    assert len(set(successors)) == 1
    follow(*pair)
    assert [sorted(worker.states().values()) for worker in pair] == [[ACTIVE, PENDING]] * 2
    assert [entry[0] for entry in pair[0].audited()] == ["key.published"]


def test_what_time_brings_is_done_by_one_of_them(pair: tuple[Worker, Worker]) -> None:
    """Both look at the same moment: one change is made, and none is active twice."""
    one, other = pair
    one.new_app()
    successor = one.rotate()
    follow(*pair)
    one.clock.move(seconds=LEAD_TIME.total_seconds())
    looks: list[Callable[[], int]] = [worker.domain.keeper.look for worker in pair]
    assert sorted(all_at_once(looks), key=str) == [0, 1]
    follow(*pair)
    assert one.active() == other.active() == successor
    assert [entry[0] for entry in one.audited()] == ["key.published", "key.activated"]


def test_a_worker_that_is_behind_undoes_nothing(pair: tuple[Worker, Worker]) -> None:
    """A worker that has not heard of a change finds other keys than it planned on, and leaves them as they are."""
    one, other = pair
    one.new_app()
    successor = one.rotate()
    follow(*pair)
    one.clock.move(seconds=LEAD_TIME.total_seconds())
    one.revoke(successor)
    assert other.states()[successor] is PENDING
    assert other.domain.keeper.look() == 0
    follow(other)
    assert other.states()[successor] is REVOKED


def test_a_command_looks_at_the_store_and_not_at_its_memory(pair: tuple[Worker, Worker]) -> None:
    """A worker activates and revokes keys it has not heard of yet: the operator has."""
    one, other = pair
    one.new_app()
    follow(*pair)
    successor = one.rotate()
    assert successor not in other.states()
    assert other.rotate() == successor
    other.keys.activate(other.operator, "acme", successor, at_once=True, etag_version=None)
    follow(one)
    assert one.active() == other.active() == successor


def test_a_worker_that_is_behind_has_one_active_key_all_the_time(pair: tuple[Worker, Worker]) -> None:
    """What a worker writes never comes before what others wrote: at each step of its view one key is active."""
    pair[0].new_app()
    follow(*pair)
    counts: list[int] = []
    for worker in pair:
        view = worker.domain.view
        worker.domain.feed.subscribe(lambda _, view=view: counts.append(_active_keys(view)))  # type: ignore[misc]
    for turn in range(6):
        behind, ahead = pair if turn % 2 else pair[::-1]
        former = behind.active()
        ahead.rotate(at_once=True)
        ahead.rotate()
        behind.revoke(former)
        behind.rotate(at_once=True)
    follow(*pair)
    assert len(counts) > 24
    assert set(counts) == {1}


def _active_keys(view: TrustView) -> int:
    trust = view.app(ACME)
    return 0 if trust is None else sum(key.state is ACTIVE for key in trust.ring.keys.values())


def test_no_worker_meets_a_kid_it_does_not_know(pair: tuple[Worker, Worker]) -> None:
    """A worker that has heard of the pending key verifies what the other signs with it before it hears that it does."""
    one, other = pair
    one.new_app()
    successor = one.rotate()
    follow(other)
    one.clock.move(seconds=LEAD_TIME.total_seconds())
    assert one.domain.keeper.look() == 1
    assert other.states()[successor] is PENDING
    assert other.status(one.token()) is TokenStatus.ACTIVE
    assert one.status(other.token()) is TokenStatus.ACTIVE
