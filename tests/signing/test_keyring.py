"""The key ring: which key signs, which verify, and until when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from authsvc.clock import system_randomness
from authsvc.errors import KeyNotReady, Reason
from authsvc.model import Algorithm, KeyId, KeyState, TokenStatus
from authsvc.signing.jws import parse_compact, sign_compact, verify_signature
from authsvc.signing.keyring import KeyRing, RingKey, ring_key
from authsvc.signing.keys import generate
from authsvc.signing.rejected import Rejected
from tests.signing.handmade import ES_KEY, ES_SIGNING, HS_KEY, HS_SIGNING
from tests.signing.key_records import a_key

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LIFE = timedelta(hours=24, seconds=30)
MICROSECOND = timedelta(microseconds=1)

ACTIVE = RingKey(ES_KEY, KeyState.ACTIVE, "{}", signing=ES_SIGNING)
OTHER = RingKey(HS_KEY, KeyState.RETIRED, "", retired_at=NOW - timedelta(hours=1), signing=HS_SIGNING)


def status(ring: KeyRing, key_id: str, *, now: datetime = NOW, retired_for: timedelta | None = LIFE) -> str:
    """ACTIVE where the ring gives a key."""
    try:
        key = ring.verification_key(key_id, now=now, retired_for=retired_for)
    except Rejected as rejected:
        return rejected.status
    assert key.key_id == key_id
    return TokenStatus.ACTIVE


def test_the_active_key_signs() -> None:
    """Of several keys the active one signs, in whatever order they were learnt."""
    for keys in ((ACTIVE, OTHER), (OTHER, ACTIVE)):
        ring = KeyRing()
        for key in keys:
            ring = ring.with_key(key)
        assert ring.signing_key() is ES_SIGNING


@pytest.mark.parametrize("state", [KeyState.PENDING, KeyState.RETIRED, KeyState.REVOKED])
def test_no_other_state_signs(state: KeyState) -> None:
    """A ring without an active key says KEY_NOT_READY."""
    assert KeyRing().with_key(ACTIVE).signing_key() is ES_SIGNING
    with pytest.raises(KeyNotReady) as refused:
        KeyRing().with_key(replace(ACTIVE, state=state)).signing_key()
    assert refused.value.reason is Reason.KEY_NOT_READY


def test_a_public_half_does_not_sign() -> None:
    """An active key of which only the public half is known verifies and does not sign."""
    ring = KeyRing().with_key(replace(ACTIVE, signing=None))
    assert status(ring, "es-key") == TokenStatus.ACTIVE
    with pytest.raises(KeyNotReady):
        ring.signing_key()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (KeyState.PENDING, TokenStatus.ACTIVE),
        (KeyState.ACTIVE, TokenStatus.ACTIVE),
        (KeyState.RETIRED, TokenStatus.ACTIVE),
        (KeyState.REVOKED, TokenStatus.KEY_REVOKED),
    ],
)
def test_which_states_verify(state: KeyState, expected: TokenStatus) -> None:
    """Every state but revoked verifies."""
    retired_at = NOW if state is KeyState.RETIRED else None
    assert status(KeyRing().with_key(replace(ACTIVE, state=state, retired_at=retired_at)), "es-key") == expected


def test_a_retired_key_verifies_while_its_tokens_live() -> None:
    """A retired key verifies until its window ends, to the microsecond, and is unknown from then on."""
    ring = KeyRing().with_key(replace(OTHER, retired_at=NOW))
    assert status(ring, "hs-key", now=NOW + LIFE - MICROSECOND) == TokenStatus.ACTIVE
    assert status(ring, "hs-key", now=NOW + LIFE) == TokenStatus.KEY_UNKNOWN


def test_a_retired_key_verifies_for_ever_where_tokens_do() -> None:
    """Without a window a retired key is never over."""
    ring = KeyRing().with_key(replace(OTHER, retired_at=NOW))
    assert status(ring, "hs-key", now=NOW + timedelta(days=36500), retired_for=None) == TokenStatus.ACTIVE


def test_a_clock_far_ahead_never_ends_the_active_key() -> None:
    """Only retired keys end by time."""
    assert status(KeyRing().with_key(ACTIVE), "es-key", now=NOW + timedelta(days=36500)) == TokenStatus.ACTIVE


def test_revoked_wins_over_retired() -> None:
    """A retired key that was revoked is KEY_REVOKED, also after its window."""
    ring = KeyRing().with_key(replace(OTHER, state=KeyState.REVOKED))
    for now in (NOW, NOW + 2 * LIFE):
        for window in (LIFE, None):
            assert status(ring, "hs-key", now=now, retired_for=window) == TokenStatus.KEY_REVOKED


@pytest.mark.parametrize(
    "key_id",
    ["", "ES-KEY", "es-key ", "es-key\0", "es-key/../es-key", "../../dev/null", "' OR 1=1 --", "k" * 10_000, "*"],
)
def test_a_key_is_found_by_its_exact_id(key_id: str) -> None:
    """An id that is not known exactly is KEY_UNKNOWN, whatever it looks like."""
    ring = KeyRing().with_key(ACTIVE).with_key(OTHER)
    assert status(ring, "es-key") == TokenStatus.ACTIVE
    assert status(ring, key_id) == TokenStatus.KEY_UNKNOWN


def test_a_change_makes_a_new_ring() -> None:
    """A ring never changes: readers of the old one see what they saw."""
    before = KeyRing().with_key(ACTIVE)
    after = before.with_key(replace(ACTIVE, state=KeyState.REVOKED)).with_key(OTHER)
    assert (status(before, "es-key"), status(before, "hs-key")) == (TokenStatus.ACTIVE, TokenStatus.KEY_UNKNOWN)
    assert (status(after, "es-key"), status(after, "hs-key")) == (TokenStatus.KEY_REVOKED, TokenStatus.ACTIVE)
    with pytest.raises(TypeError):
        after.keys["new"] = ACTIVE  # type: ignore[index]


def test_several_keys_change_at_once() -> None:
    """One change retires a key, makes its successor active and forgets a third; earlier readers keep what they had."""
    before = KeyRing().with_key(ACTIVE).with_key(replace(OTHER, state=KeyState.PENDING, retired_at=None))
    retired = replace(ACTIVE, state=KeyState.RETIRED, retired_at=NOW)
    after = before.with_keys([retired, replace(OTHER, state=KeyState.ACTIVE, retired_at=None)])
    assert (before.signing_key(), after.signing_key()) == (ES_SIGNING, HS_SIGNING)
    without = after.with_keys([], gone=[retired.key_id, KeyId("never-known")])
    assert (status(after, "es-key"), status(without, "es-key")) == (TokenStatus.ACTIVE, TokenStatus.KEY_UNKNOWN)
    assert without.signing_key() is HS_SIGNING


def test_a_key_of_a_record_signs_and_verifies() -> None:
    """A record and its opened secret make a key with the record's state; a secret of another algorithm is refused."""
    made = generate(Algorithm.ES256, system_randomness)
    record = a_key(key_id=made.key_id, public_jwk=made.public_jwk)
    key = ring_key(record, made.secret)
    assert (key.key_id, key.state, key.public_jwk, key.weak) == (made.key_id, KeyState.ACTIVE, made.public_jwk, False)
    assert key.signing is not None
    token = sign_compact(key.signing, typ="JWT", payload=b"{}")
    assert verify_signature(parse_compact(token), key.verification) == b"{}"
    with pytest.raises(ValueError, match="not one of its algorithm"):
        ring_key(replace(record, algorithm=Algorithm.EDDSA), made.secret)


def test_a_short_secret_is_weak() -> None:
    """An HMAC secret shorter than its hash is shown as weak, one of that length is not."""
    record = a_key(algorithm=Algorithm.HS256, public_jwk="", imported=True)
    assert (ring_key(record, b"s" * 31).weak, ring_key(record, b"s" * 32).weak) == (True, False)


def test_a_newer_record_moves_a_key_without_its_secret() -> None:
    """A key takes the state of a newer record of it, and keeps what it signs and verifies with."""
    made = generate(Algorithm.ES256, system_randomness)
    record = a_key(key_id=made.key_id, public_jwk=made.public_jwk)
    key = ring_key(record, made.secret)
    retired = replace(record, state=KeyState.RETIRED, retired_at=NOW, sealed=b"sealed anew")
    moved = key.moved_to(retired)
    assert (moved.state, moved.retired_at, moved.record) == (KeyState.RETIRED, NOW, retired)
    assert (moved.signing, moved.verification) == (key.signing, key.verification)
