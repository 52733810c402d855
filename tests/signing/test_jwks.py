"""The key set of an app: which keys are in it, and what of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jwt
import pytest

from authsvc.clock import system_randomness
from authsvc.model import APP_ALGORITHMS, Algorithm, KeyState
from authsvc.signing.jwk import parse_key_set
from authsvc.signing.jwks import key_set
from authsvc.signing.jws import sign_compact
from authsvc.signing.keyring import KeyRing, RingKey, ring_key
from authsvc.signing.keys import generate
from tests.signing.key_records import DAY, MICROSECOND, NOW, a_key

PUBLIC = [algorithm for algorithm in APP_ALGORITHMS if algorithm is not Algorithm.HS256]
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


def a_ring_key(algorithm: Algorithm = Algorithm.EDDSA, state: KeyState = KeyState.ACTIVE, **changes: Any) -> RingKey:
    """A new key of that algorithm in that state."""
    made = generate(algorithm, system_randomness)
    record = a_key(made.key_id, algorithm=algorithm, state=state, public_jwk=made.public_jwk, **changes)
    return ring_key(record, made.secret)


def kids(*keys: RingKey, now: Any = NOW, retired_for: Any = DAY) -> list[str]:
    """The kids of the set, in its order."""
    document = json.loads(key_set(KeyRing().with_keys(keys), now=now, retired_for=retired_for))
    return [key["kid"] for key in document["keys"]]


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_others_verify_by_it(algorithm: Algorithm) -> None:
    """A token is verified by another library that knows the set alone, and by our own strict reader of sets."""
    key = a_ring_key(algorithm)
    text = key_set(KeyRing().with_key(key), now=NOW, retired_for=DAY)
    assert key.signing is not None
    token = sign_compact(key.signing, typ="JWT", payload=b'{"user_id":"sara"}')
    theirs = jwt.PyJWKSet.from_json(text.decode())[key.key_id]
    assert jwt.decode(token, theirs, algorithms=[algorithm]) == {"user_id": "sara"}
    assert parse_key_set(text.decode())[key.key_id].algorithm is algorithm


def test_nothing_secret_is_in_it() -> None:
    """No key of the set has a private member, and an HMAC key is not in it at all."""
    ring = KeyRing().with_keys(a_ring_key(algorithm) for algorithm in APP_ALGORITHMS)
    document = json.loads(key_set(ring, now=NOW, retired_for=DAY))
    assert len(document["keys"]) == len(PUBLIC)
    assert {key["kty"] for key in document["keys"]} == {"EC", "OKP", "RSA"}
    assert [name for key in document["keys"] for name in key if name in PRIVATE_MEMBERS] == []


def test_which_states_are_in_it() -> None:
    """Pending, active and retired keys are in the set; revoked ones are not."""
    keys = {state: a_ring_key(state=state) for state in KeyState}
    expected = sorted(key.key_id for state, key in keys.items() if state is not KeyState.REVOKED)
    assert kids(*keys.values()) == expected


def test_a_retired_key_leaves_it_when_it_verifies_no_more() -> None:
    """A retired key is in the set to the last microsecond of its window, and for ever where there is no end."""
    key = a_ring_key(state=KeyState.RETIRED, retired_at=NOW)
    assert kids(key, now=NOW + DAY - MICROSECOND) == [key.key_id]
    assert kids(key, now=NOW + DAY) == []
    assert kids(key, now=NOW + 10_000 * DAY, retired_for=None) == [key.key_id]


def test_the_same_keys_are_the_same_bytes() -> None:
    """Whatever the order in which a worker learnt its keys, the set is the same to the byte, and one line of ASCII."""
    keys = [a_ring_key() for _ in range(5)]
    texts = {
        key_set(KeyRing().with_keys(order), now=NOW, retired_for=DAY) for order in (keys, keys[::-1], keys[2:] + keys)
    }
    (text,) = texts
    assert text.isascii()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":")).encode()
    fewer = key_set(
        KeyRing().with_keys([replace(keys[0], state=KeyState.REVOKED), *keys[1:]]), now=NOW, retired_for=DAY
    )
    assert fewer != text


def test_an_app_without_public_keys_has_an_empty_set() -> None:
    """An app that signs by HMAC has a set without keys."""
    ring = KeyRing().with_key(a_ring_key(Algorithm.HS256))
    assert key_set(ring, now=NOW, retired_for=DAY) == b'{"keys":[]}'
