"""Rotation by age, and the end of keys: done by whoever looks after keys, with nobody asking."""

from __future__ import annotations

from datetime import timedelta

from authsvc.apps.requests import Span
from authsvc.model import Algorithm, KeyState, TokenStatus
from authsvc.signing.lifecycle import FEED_BOUND, KEPT_AFTER, LEAD_TIME
from tests.conftest import HandClock
from tests.keys.scene import ACME, Worker

ACTIVE, PENDING, RETIRED = KeyState.ACTIVE, KeyState.PENDING, KeyState.RETIRED
DAY = timedelta(days=1)


def move(worker: Worker, span: timedelta) -> int:
    """Let time pass and look once; how many changes were made."""
    worker.clock.move(seconds=span.total_seconds())
    return worker.domain.keeper.look()


def test_a_key_without_an_age_to_reach_stays(worker: Worker) -> None:
    """Without key_rotation_age a key signs for years."""
    first = worker.active()
    assert move(worker, 3650 * DAY) == 0
    assert worker.states() == {first: ACTIVE}


def test_a_key_is_replaced_at_its_age(empty: Worker) -> None:
    """Its successor is published ahead of the age and signs exactly at it; the audit says why and by whom."""
    empty.new_app(key_rotation_age=30 * DAY)
    first, before = empty.active(), empty.token(ttl=DAY)
    assert move(empty, 30 * DAY - LEAD_TIME - timedelta(seconds=1)) == 0
    assert move(empty, timedelta(seconds=1)) == 1
    (successor,) = empty.states().keys() - {first}
    assert empty.states()[successor] is PENDING
    assert move(empty, LEAD_TIME - timedelta(seconds=1)) == 0
    assert move(empty, timedelta(seconds=1)) == 1
    assert empty.states() == {first: RETIRED, successor: ACTIVE}
    assert empty.audited() == [
        ("key.published", "authsvc", successor, "key_rotation_age"),
        ("key.activated", "authsvc", successor, "its time has come"),
    ]
    assert empty.status(before) is TokenStatus.EXPIRED


def test_an_age_that_is_set_later_counts_from_when_the_key_began_to_sign(worker: Worker) -> None:
    """An app that is given a rotation age its key is past already gets a successor with that very call."""
    worker.clock.move(days=40)
    assert list(worker.states().values()) == [ACTIVE]
    worker.set(key_rotation_age=Span(30 * 86_400))
    assert list(worker.states().values()) == [ACTIVE, PENDING]
    assert worker.domain.apps.get(worker.operator, ACME).settings.key_rotation_age == 30 * DAY


def test_every_key_of_many_rotations_has_its_turn(empty: Worker) -> None:
    """Through a year of rotation there is one active key each day, and no key is kept long after its tokens."""
    empty.new_app(algorithm=Algorithm.HS256, key_rotation_age=7 * DAY)
    signed: set[str] = set()
    for _ in range(365):
        token = empty.token(ttl=DAY)
        signed.add(empty.active())
        move(empty, DAY / 2)
        assert empty.status(token) is TokenStatus.ACTIVE
        move(empty, DAY / 2)
        move(empty, FEED_BOUND)
    assert len(signed) == 365 // 7 + 1
    assert len(empty.states()) <= 4


def test_a_retired_key_verifies_as_long_as_its_tokens_live(worker: Worker) -> None:
    """The longest token of a retired key is good to its end, the skew included; a week later the key is gone."""
    first = worker.active()
    before = worker.token(ttl=DAY)
    worker.rotate(at_once=True)
    (described,) = [one for one in worker.all() if one.key.key_id == first]
    assert described.verifies_until == worker.clock() + FEED_BOUND + DAY + timedelta(seconds=30)
    worker.clock.move(days=1, seconds=29)
    assert worker.status(before) is TokenStatus.ACTIVE
    worker.clock.move(seconds=1)
    assert worker.status(before) is TokenStatus.EXPIRED
    worker.clock.move(seconds=FEED_BOUND.total_seconds() + 1)
    assert worker.status(before) is TokenStatus.KEY_UNKNOWN
    assert first.encode() not in worker.keys.key_set(worker.operator, ACME)
    assert move(worker, KEPT_AFTER) == 1
    assert first not in worker.states()


def test_a_retired_key_verifies_for_ever_where_tokens_have_no_end(empty: Worker) -> None:
    """Where tokens without an end may exist a retired key is never over and never gone, until it is revoked."""
    empty.new_app(allow_never_expires=True)
    first = empty.active()
    empty.rotate(at_once=True)
    empty.set(allow_never_expires=False)
    assert move(empty, 3650 * DAY) == 0
    assert first.encode() in empty.keys.key_set(empty.operator, ACME)
    empty.revoke(first)
    assert move(empty, 3650 * DAY) == 0
    assert first in empty.states()
    assert first.encode() not in empty.keys.key_set(empty.operator, ACME)


def test_nothing_is_written_while_nothing_is_due(worker: Worker, clock: HandClock) -> None:
    """A look that finds nothing to do leaves the store as it is."""
    worker.rotate()
    before = worker.rows.everything()
    for _ in range(5):
        clock.move(seconds=2)
        assert worker.domain.keeper.look() == 0
    assert worker.rows.everything() == before
