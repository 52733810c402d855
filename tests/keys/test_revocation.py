"""Revoking keys: at once and for good, and never without a key that signs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from authsvc.model import Algorithm, KeyState, TokenStatus
from authsvc.signing.lifecycle import KEPT_AFTER
from tests.keys.scene import ACME, Worker
from tests.storage.crowd import all_at_once

ACTIVE, PENDING, RETIRED, REVOKED = KeyState.ACTIVE, KeyState.PENDING, KeyState.RETIRED, KeyState.REVOKED


@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.HS256, Algorithm.RS256])
def test_a_revoked_key_ends_its_tokens_and_has_a_successor(empty: Worker, algorithm: Algorithm) -> None:
    """In one commit the active key is revoked and a new one signs: old tokens are KEY_REVOKED, new ones are good."""
    empty.new_app(algorithm=algorithm)
    first, before, revision = empty.active(), empty.token(), empty.rows.revision()
    assert empty.status(before) is TokenStatus.ACTIVE
    assert empty.revoke(first).key.revoked_at == empty.clock()
    assert empty.rows.revision() == revision + 1
    assert sorted(empty.states().values()) == [ACTIVE, REVOKED]
    assert empty.status(before) is TokenStatus.KEY_REVOKED
    assert empty.status(empty.token()) is TokenStatus.ACTIVE
    assert first.encode() not in empty.keys.key_set(empty.operator, ACME)
    assert empty.audited() == [("key.revoked", "caller", first, "asked for")]


def test_the_pending_key_takes_the_place_of_a_revoked_one(worker: Worker) -> None:
    """Where a successor is published already, it signs at once and no other is made."""
    first, successor = worker.active(), worker.rotate()
    worker.revoke(first)
    assert worker.states() == {first: REVOKED, successor: ACTIVE}


def test_revoking_what_does_not_sign(worker: Worker) -> None:
    """A retired and a pending key are revoked without a change of the key that signs."""
    first, before = worker.active(), worker.token()
    second = worker.rotate(at_once=True)
    third = worker.rotate()
    for key_id in (first, third):
        worker.revoke(key_id)
    assert worker.states() == {first: REVOKED, second: ACTIVE, third: REVOKED}
    assert worker.status(before) is TokenStatus.KEY_REVOKED


def test_revoking_twice_is_harmless(worker: Worker) -> None:
    """A key that was revoked stays as it was; the second wish writes nothing."""
    first = worker.active()
    worker.revoke(first)
    before = worker.rows.everything()
    worker.clock.move(hours=1)
    assert worker.revoke(first).key.revoked_at == worker.clock() - timedelta(hours=1)
    assert worker.rows.everything() == before


def test_of_many_revocations_at_once_one_makes_a_successor(worker: Worker) -> None:
    """Sixteen who revoke the active key together leave one successor."""
    first = worker.active()
    all_at_once([lambda: worker.revoke(first)] * 16)
    assert sorted(worker.states().values()) == [ACTIVE, REVOKED]
    assert len(worker.audited()) == 1


def test_a_revoked_key_is_forgotten_when_its_tokens_have_ended(worker: Worker) -> None:
    """What was revoked is remembered while a token of it can live, and a week more; it never verifies again."""
    first, before = worker.active(), worker.token()
    worker.revoke(first)
    life = timedelta(hours=24, seconds=30) + KEPT_AFTER
    worker.clock.move(seconds=life.total_seconds() - 1)
    assert worker.domain.keeper.look() == 0
    assert worker.status(before) is TokenStatus.KEY_REVOKED
    worker.clock.move(seconds=1)
    assert worker.domain.keeper.look() == 1
    assert first not in worker.states()
    assert worker.status(before) is TokenStatus.KEY_UNKNOWN
    assert worker.audited()[-1] == ("key.removed", "authsvc", first, "its tokens have ended")
    worker.clock.move(days=-30)
    assert worker.status(before) is TokenStatus.KEY_UNKNOWN
