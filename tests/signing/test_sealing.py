"""Secrets at rest: a sealed text opens under its KEK at its place, unchanged, and nowhere else."""

from __future__ import annotations

import pickle
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.clock import system_randomness
from authsvc.signing.sealing import Kek, Place, SealBroken, Sealer
from tests.properties import QUICK

SECRET = b"what nobody may read: 0123456789"
KEK = Kek(bytes(range(32)))
PLACE = Place("signing-key", "acme", "key-1")
SEALER = Sealer(KEK, system_randomness)
SEALED = SEALER.seal(SECRET, PLACE)


@QUICK
@given(st.binary(max_size=300), st.text(max_size=9), st.text(max_size=9), st.text(max_size=9))
def test_it_opens_where_it_belongs(secret: bytes, purpose: str, app: str, key: str) -> None:
    """Any secret sealed for any place comes back from that place."""
    place = Place(purpose, app, key)
    assert SEALER.open(SEALER.seal(secret, place), place) == secret


ELSEWHERE = {
    "another app": replace(PLACE, app="acme2"),
    "another key": replace(PLACE, key="key-2"),
    "another purpose": replace(PLACE, purpose="refresh-mac-key"),
    "app and key exchanged": Place("signing-key", "key-1", "acme"),
    "a border moved between purpose and app": Place("signing-keya", "cme", "key-1"),
    "a border moved between app and key": Place("signing-key", "acmek", "ey-1"),
    "another case": replace(PLACE, app="Acme"),
    "no app": replace(PLACE, app=""),
}


@pytest.mark.parametrize("place", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_it_does_not_open_elsewhere(place: Place) -> None:
    """A sealed text moved to another app, key or purpose does not open."""
    assert SEALER.open(SEALED, PLACE) == SECRET
    with pytest.raises(SealBroken):
        SEALER.open(SEALED, place)


def test_no_bit_of_it_may_change() -> None:
    """Turning any single bit of a sealed text keeps it from opening."""
    for bit in range(len(SEALED) * 8):
        changed = bytearray(SEALED)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SealBroken):
            SEALER.open(bytes(changed), PLACE)


@pytest.mark.parametrize("size", [*range(0, len(SEALED), 7), len(SEALED) - 1])
def test_no_byte_of_it_may_be_missing(size: int) -> None:
    """A sealed text that was cut does not open, wherever."""
    with pytest.raises(SealBroken):
        SEALER.open(SEALED[:size], PLACE)


def test_no_byte_may_be_added() -> None:
    """A sealed text with something after it does not open."""
    with pytest.raises(SealBroken):
        SEALER.open(SEALED + b"\0", PLACE)


def test_layers_of_two_sealed_texts_do_not_mix() -> None:
    """The wrapped data key of one text does not open the secret of another, at the same place."""
    other = SEALER.seal(SECRET, PLACE)
    border = len(SEALED) - len(SECRET) - 16 - 12
    with pytest.raises(SealBroken):
        SEALER.open(SEALED[:border] + other[border:], PLACE)


def test_another_kek_is_named_as_the_reason() -> None:
    """Under another KEK nothing opens, and the text says which file would help."""
    with pytest.raises(SealBroken, match="another KEK"):
        Sealer(Kek(bytes(32)), system_randomness).open(SEALED, PLACE)


def test_a_kek_that_only_claims_to_be_the_right_one() -> None:
    """Writing another KEK's id into a sealed text does not make it open under that one."""
    other = Kek(bytes(32))
    claimed = SEALED[:1] + other.id + SEALED[9:]
    with pytest.raises(SealBroken, match="changed or moved"):
        Sealer(other, system_randomness).open(claimed, PLACE)


def test_sealing_twice_gives_two_texts_without_the_secret() -> None:
    """A sealed text shows neither the secret nor the KEK, and two of one secret have nothing in common but the head."""
    first, second = SEALER.seal(SECRET, PLACE), SEALER.seal(SECRET, PLACE)
    assert first[:9] == second[:9]
    for start in range(9, len(first) - 8):
        assert first[start : start + 8] not in second
    for start in range(len(SECRET) - 8):
        assert SECRET[start : start + 8] not in first
        assert KEK.secret[start : start + 8] not in first


def test_each_sealing_draws_a_key_and_two_nonces_of_its_own() -> None:
    """All that is random comes from the randomness passed in: 32 bytes for the data key, twice 12 for nonces."""
    drawn: list[int] = []
    numbers = count()

    def randomness(size: int) -> bytes:
        drawn.append(size)
        return next(numbers).to_bytes(size, "big")

    sealer = Sealer(KEK, randomness)
    assert sealer.seal(SECRET, PLACE) != sealer.seal(SECRET, PLACE)
    assert sorted(drawn) == [12, 12, 12, 12, 32, 32]


def test_a_kek_shows_eight_bytes_that_tell_nothing() -> None:
    """Two KEKs have two ids, and an id is no part of its KEK."""
    other = Kek(bytes(31) + b"\1")
    assert KEK.id != other.id
    assert len(KEK.id) == 8
    assert KEK.id not in KEK.secret


def test_the_kek_does_not_show() -> None:
    """Neither a KEK nor its sealer prints the secret or pickles."""
    for holder in (KEK, SEALER):
        shown = f"{holder!r} {holder}"
        assert str(KEK.secret) not in shown
        assert KEK.secret.hex() not in shown
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(holder)
