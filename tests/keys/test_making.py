"""Making keys: sealed for their place, the slow ones by few workers, and never later than the caller can wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from authsvc.clock import deadline_after, system_randomness
from authsvc.errors import DeadlinePassed, Reason
from authsvc.keys.making import AT_ONCE, KeyMaker
from authsvc.model import APP_ALGORITHMS, Algorithm, KeyRecord, KeyState
from authsvc.signing.keyring import ring_key
from authsvc.signing.sealing import Kek, SealBroken, Sealer
from authsvc.trust.learning import signing_key_place
from tests.conftest import HandClock
from tests.keys.scene import ACME, Worker
from tests.storage.crowd import all_at_once

SEALER = Sealer(Kek(bytes(range(32))), system_randomness)


@pytest.fixture
def maker(clock: HandClock) -> Iterator[KeyMaker]:
    """A maker, closed when the test ends."""
    made = KeyMaker(SEALER, clock=clock)
    yield made
    made.close()


def makers_at_work() -> int:
    return sum(thread.name.startswith("authsvc-key-maker") for thread in threading.enumerate())


@pytest.mark.parametrize("algorithm", APP_ALGORITHMS)
def test_a_key_is_sealed_for_its_place(maker: KeyMaker, clock: HandClock, algorithm: Algorithm) -> None:
    """A new key is pending from now, of its algorithm, and its secret opens at its own place alone."""
    key = maker.pending(ACME, algorithm)
    assert (key.state, key.algorithm, key.created_at, key.activated_at) == (KeyState.PENDING, algorithm, clock(), None)
    secret = SEALER.open(key.sealed, signing_key_place(ACME, key.key_id))
    assert ring_key(key, secret).public_jwk == key.public_jwk
    with pytest.raises(SealBroken):
        SEALER.open(key.sealed, signing_key_place(ACME, "another"))


@pytest.mark.parametrize("secret", [b"", b"a secret that others hold too"])
def test_a_first_key_signs_at_once(maker: KeyMaker, clock: HandClock, secret: bytes) -> None:
    """The first key of an app is active from its making; one from a given secret is imported."""
    key = maker.first(ACME, Algorithm.HS256, secret=secret)
    assert (key.state, key.activated_at, key.imported) == (KeyState.ACTIVE, clock(), bool(secret))
    assert not secret or SEALER.open(key.sealed, signing_key_place(ACME, key.key_id)) == secret


def test_rsa_keys_are_made_by_two_at_a_time(maker: KeyMaker) -> None:
    """However many ask together, two threads of their own make the keys, and each caller gets another one."""
    keys = all_at_once([partial(maker.pending, ACME, Algorithm.RS256)] * 12)
    assert makers_at_work() == AT_ONCE == 2
    assert len({key.key_id for key in keys if isinstance(key, KeyRecord)}) == 12


def test_other_keys_are_made_where_they_are_asked_for(maker: KeyMaker) -> None:
    """A key that costs next to nothing waits for no worker."""
    for algorithm in set(APP_ALGORITHMS) - {Algorithm.RS256}:
        maker.pending(ACME, algorithm)
    assert makers_at_work() == 0
    maker.pending(ACME, Algorithm.RS256)
    assert makers_at_work() == 1


def test_a_caller_waits_no_longer_than_it_can(maker: KeyMaker) -> None:
    """A key that is not made in time is a passed deadline; the next one is made all the same."""
    with pytest.raises(DeadlinePassed) as passed:
        maker.pending(ACME, Algorithm.RS256, deadline=deadline_after(0))
    assert passed.value.reason is Reason.DEADLINE_EXCEEDED
    assert maker.pending(ACME, Algorithm.RS256, deadline=deadline_after(30)).algorithm is Algorithm.RS256


def test_a_rotation_that_has_no_time_changes_nothing(empty: Worker) -> None:
    """Where its RSA key is not made in time a rotation fails, and the store is as it was."""
    empty.new_app(algorithm=Algorithm.RS256)
    before = empty.rows.everything()
    with pytest.raises(DeadlinePassed):
        empty.keys.rotate(empty.operator, ACME, at_once=True, deadline=deadline_after(0))
    assert empty.rows.everything() == before
    assert empty.rotate(at_once=True) == empty.active()
