"""Rotation on demand: one successor, which signs after its lead time or at once; what was signed before stays good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from authsvc.errors import AuthError, CallerForbidden, InvalidRequest, KeyNotReady, NotFound, Reason
from authsvc.model import Algorithm, KeyState, Principal, TokenStatus
from authsvc.signing.lifecycle import FEED_BOUND, LEAD_TIME
from tests.accounts.people import a_principal
from tests.conftest import HandClock
from tests.keys.scene import ACME, Worker, a_worker
from tests.storage.crowd import all_at_once

ACTIVE, PENDING, RETIRED, REVOKED = KeyState.ACTIVE, KeyState.PENDING, KeyState.RETIRED, KeyState.REVOKED
SECOND = timedelta(seconds=1)


def test_the_first_key_of_an_app_signs_at_once(worker: Worker) -> None:
    """A new app has one key, which signs from its first moment."""
    (only,) = worker.all()
    assert (only.key.state, only.key.activated_at) == (ACTIVE, worker.clock())
    assert worker.status(worker.token()) is TokenStatus.ACTIVE


def test_a_successor_is_published_before_it_signs(worker: Worker) -> None:
    """A rotation publishes a pending key, which says from when it may sign, and the present key goes on signing."""
    first = worker.active()
    described = worker.keys.rotate(worker.operator, ACME, at_once=False)
    assert (described.key.state, described.signs_from) == (PENDING, worker.clock() + LEAD_TIME)
    assert worker.states() == {first: ACTIVE, described.key.key_id: PENDING}
    assert described.key.key_id.encode() in worker.keys.key_set(worker.operator, ACME)
    assert worker.verdict(worker.token()).token.key_id == first  # type: ignore[union-attr]


def test_a_successor_signs_when_its_time_has_come(worker: Worker) -> None:
    """After its lead time the successor signs, and what its predecessor signed stays good."""
    first, successor, before = worker.active(), worker.rotate(), worker.token()
    worker.clock.move(seconds=LEAD_TIME.total_seconds() - 1)
    assert (worker.domain.keeper.look(), worker.active()) == (0, first)
    worker.clock.move(seconds=1)
    assert (worker.domain.keeper.look(), worker.active()) == (1, successor)
    assert worker.states() == {first: RETIRED, successor: ACTIVE}
    assert [worker.status(token) for token in (before, worker.token())] == [TokenStatus.ACTIVE] * 2
    assert worker.domain.keeper.look() == 0


def test_a_rotation_at_once(worker: Worker) -> None:
    """Asked for at once, the successor signs now; the audit says that its lead time was left out."""
    first, before = worker.active(), worker.token()
    successor = worker.rotate(at_once=True)
    assert worker.states() == {first: RETIRED, successor: ACTIVE}
    assert [worker.status(token) for token in (before, worker.token())] == [TokenStatus.ACTIVE] * 2
    assert worker.audited() == [("key.activated", "caller", successor, "asked for, without its lead time")]


def test_a_pending_key_is_the_successor_of_all_who_ask(worker: Worker) -> None:
    """A second wish for a rotation is answered with the key that is pending, and at once lets that one sign."""
    first, successor = worker.active(), worker.rotate()
    revision = worker.rows.revision()
    assert worker.rotate() == successor
    assert worker.rows.revision() == revision
    assert worker.rotate(at_once=True) == successor
    assert worker.states() == {first: RETIRED, successor: ACTIVE}


def test_of_many_rotations_at_once_there_is_one_successor(worker: Worker) -> None:
    """Sixteen who ask for a rotation together are all told of one and the same key."""
    successors = all_at_once([worker.rotate] * 16)
    assert len(set(successors)) == 1
    assert sorted(worker.states().values()) == [ACTIVE, PENDING]
    assert [action for action, *_ in worker.audited()] == ["key.published"]


@pytest.mark.parametrize("algorithm", [Algorithm.HS256, Algorithm.RS256, Algorithm.EDDSA])
def test_every_algorithm_rotates(empty: Worker, algorithm: Algorithm) -> None:
    """A successor is of its app's algorithm, and waits as long as keys of it do."""
    empty.new_app(algorithm=algorithm)
    before = empty.token()
    described = empty.keys.rotate(empty.operator, ACME, at_once=False)
    lead = FEED_BOUND if algorithm is Algorithm.HS256 else LEAD_TIME
    assert (described.key.algorithm, described.signs_from) == (algorithm, empty.clock() + lead)
    empty.clock.move(seconds=lead.total_seconds())
    assert empty.domain.keeper.look() == 1
    after = empty.verdict(empty.token())
    assert (after.status, after.token and after.token.key_id) == (TokenStatus.ACTIVE, described.key.key_id)
    assert empty.status(before) is TokenStatus.ACTIVE


@pytest.mark.parametrize(("staleness", "bound"), [(20, 20), (5, 5), (1, 5)])
def test_a_secret_key_waits_until_every_worker_has_heard(
    state_dir: Path, clock: HandClock, staleness: int, bound: int
) -> None:
    """An HMAC key signs no sooner than any worker that answers must know it: after AUTHSVC_MAX_STALENESS where that is
    more than five seconds; and the one before is retired no sooner than any worker may last have signed with it."""
    with a_worker(state_dir, clock, max_staleness=timedelta(seconds=staleness)) as worker:
        worker.new_app(algorithm=Algorithm.HS256)
        first, described = worker.active(), worker.keys.rotate(worker.operator, ACME, at_once=False)
        assert described.signs_from == clock() + timedelta(seconds=bound)
        clock.move(seconds=bound - 0.001)
        assert (worker.domain.keeper.look(), worker.active()) == (0, first)
        clock.move(seconds=0.001)
        assert (worker.domain.keeper.look(), worker.active()) == (1, described.key.key_id)
        retired = next(one.key for one in worker.all() if one.key.key_id == first)
        assert retired.retired_at == clock() + timedelta(seconds=bound)


# -- activating ------------------------------------------------------------------------------------------


def test_a_pending_key_is_activated_by_hand(worker: Worker) -> None:
    """A key whose lead time is over signs when it is told to, without waiting for a look; twice is harmless."""
    successor = worker.rotate()
    worker.clock.move(seconds=LEAD_TIME.total_seconds())
    for _ in range(2):
        assert (
            worker.keys.activate(worker.operator, ACME, successor, at_once=False, etag_version=None).key.state is ACTIVE
        )
    assert worker.active() == successor
    assert worker.audited()[-1] == ("key.activated", "caller", successor, "asked for")
    assert len(worker.audited()) == 2


def test_a_key_is_not_activated_too_early_unless_at_once(worker: Worker) -> None:
    """Before the end of its lead time a key signs only when that is asked for in so many words, and audited so."""
    successor = worker.rotate()
    worker.clock.move(seconds=(LEAD_TIME - SECOND).total_seconds())
    with pytest.raises(KeyNotReady) as early:
        worker.keys.activate(worker.operator, ACME, successor, at_once=False, etag_version=None)
    assert datetime.fromisoformat(early.value.metadata["signs_from"]) == worker.clock() + SECOND
    assert worker.states()[successor] is PENDING
    worker.keys.activate(worker.operator, ACME, successor, at_once=True, etag_version=None)
    assert worker.active() == successor
    assert worker.audited()[-1] == ("key.activated", "caller", successor, "asked for, without its lead time")


@pytest.mark.parametrize("ended", [RETIRED, REVOKED])
def test_a_key_that_has_ended_never_signs_again(worker: Worker, ended: KeyState) -> None:
    """Neither a retired nor a revoked key is activated, whatever is asked for."""
    first = worker.active()
    worker.rotate(at_once=True)
    if ended is REVOKED:
        worker.revoke(first)
    before = worker.rows.everything()
    for at_once in (False, True):
        with pytest.raises(KeyNotReady) as over:
            worker.keys.activate(worker.operator, ACME, first, at_once=at_once, etag_version=None)
        assert over.value.metadata == {}
    assert worker.rows.everything() == before


# -- who may, and what is named --------------------------------------------------------------------------


def _attempts(worker: Worker, principal: Principal, api_key: str, key_id: str) -> list[Callable[[], object]]:
    keys = worker.keys
    return [
        partial(keys.all, principal, api_key),
        partial(keys.key_set, principal, api_key),
        partial(keys.rotate, principal, api_key, at_once=True),
        partial(keys.activate, principal, api_key, key_id, at_once=True, etag_version=None),
        partial(keys.revoke, principal, api_key, key_id, etag_version=None),
    ]


def _reason(attempt: Callable[[], object]) -> Reason:
    with pytest.raises(AuthError) as refused:
        attempt()
    return refused.value.reason


def test_keys_are_touched_by_those_who_may_act_for_their_app(worker: Worker) -> None:
    """A caller of another app is refused whatever it asks of keys, and nothing is changed."""
    before, stranger = worker.rows.everything(), a_principal(apps=["other"])
    for attempt in _attempts(worker, stranger, ACME, worker.active()):
        with pytest.raises(CallerForbidden):
            attempt()
    assert worker.rows.everything() == before


def test_what_is_not_named_or_not_there(worker: Worker) -> None:
    """An empty name is a fault, an app or a key that is not there is said to be missing, and nothing is changed."""
    before = worker.rows.everything()
    for attempt in _attempts(worker, worker.operator, "", "kid"):
        with pytest.raises(InvalidRequest):
            attempt()
    for attempt in _attempts(worker, worker.operator, "nobody", "kid"):
        with pytest.raises(NotFound):
            attempt()
    with_key = _attempts(worker, worker.operator, ACME, "kid")[3:]
    assert [_reason(attempt) for attempt in with_key] == [Reason.KEY_NOT_FOUND] * 2
    unnamed = _attempts(worker, worker.operator, ACME, "")[3:]
    assert [_reason(attempt) for attempt in unnamed] == [Reason.INVALID_REQUEST] * 2
    assert worker.rows.everything() == before
