"""A public key is never a secret: no header turns one kind of key into the other (RFC 8725, 2.1 and 3.1)."""

from __future__ import annotations

import pytest

from authsvc.model import Algorithm, TokenStatus
from authsvc.signing.keys import verification_key
from tests.signing.families import KEYS, header, signs
from tests.signing.handmade import HS_KEY, compact, es256, hs256, outcome
from tests.signing.public_forms import forms

CONFUSED = (Algorithm.ES256, Algorithm.EDDSA, Algorithm.RS256, Algorithm.PS256)


AS_SECRET = {
    f"{algorithm}: {name}": (algorithm, secret) for algorithm in CONFUSED for name, secret in forms(algorithm).items()
}


@pytest.mark.parametrize(("algorithm", "secret"), AS_SECRET.values(), ids=AS_SECRET.keys())
def test_a_public_key_is_no_secret(algorithm: Algorithm, secret: bytes) -> None:
    """An HMAC under any form of the public key is refused, whichever of the two names the header gives."""
    key = verification_key(KEYS[algorithm])
    own, confused = header(algorithm), {**header(algorithm), "alg": "HS256"}
    tokens = [compact(head, sign=lambda message: hs256(message, secret)) for head in (confused, own)]
    assert [outcome(token, key) for token in tokens] == [
        TokenStatus.ALGORITHM_MISMATCH,
        TokenStatus.SIGNATURE_INVALID,
    ]
    assert outcome(compact(own, sign=signs(algorithm)), key) is TokenStatus.ACTIVE


def test_a_secret_is_no_elliptic_key() -> None:
    """A token that names ES256 is refused by an HMAC key, however it is signed."""
    for sign in (es256, hs256):
        assert outcome(compact({"alg": "ES256", "kid": "hs-key"}, sign=sign), HS_KEY) is TokenStatus.ALGORITHM_MISMATCH
    assert outcome(compact({"alg": "HS256", "kid": "hs-key"}), HS_KEY) is TokenStatus.ACTIVE


@pytest.mark.parametrize("algorithm", CONFUSED)
def test_what_verifies_cannot_sign(algorithm: Algorithm) -> None:
    """What verifies holds the public half alone."""
    assert not hasattr(verification_key(KEYS[algorithm]).handle, "sign")
    assert hasattr(KEYS[algorithm].handle, "sign")
