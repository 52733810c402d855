"""A public key is never a secret: no header turns one kind of key into the other (RFC 8725, 2.1 and 3.1)."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from authsvc.model import TokenStatus
from authsvc.signing.keys import SigningKey, verification_key
from tests.signing.handmade import ES_KEY, ES_SIGNING, HS_KEY, PRIVATE, b64, compact, es256, hs256, outcome

PUBLIC = PRIVATE.public_key()
NUMBERS = PUBLIC.public_numbers()
PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
JWK = {
    "kty": "EC",
    "crv": "P-256",
    "x": b64(NUMBERS.x.to_bytes(32, "big")),
    "y": b64(NUMBERS.y.to_bytes(32, "big")),
}

AS_SECRET = {
    "PEM": PEM,
    "PEM without its last newline": PEM.rstrip(),
    "PEM with CRLF": PEM.replace(b"\n", b"\r\n"),
    "PEM on one line": PEM.replace(b"\n", b""),
    "the bare body of the PEM": b"".join(PEM.splitlines()[1:-1]),
    "DER": PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "SSH": PUBLIC.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    "JWK": json.dumps(JWK).encode(),
    "JWK, dense and sorted": json.dumps(JWK, sort_keys=True, separators=(",", ":")).encode(),
    "JWKS": json.dumps({"keys": [JWK]}).encode(),
    "the point": PUBLIC.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
    "the point, compressed": PUBLIC.public_bytes(Encoding.X962, PublicFormat.CompressedPoint),
    "x": NUMBERS.x.to_bytes(32, "big"),
    "x in base64url": JWK["x"].encode(),
    "x in decimal": str(NUMBERS.x).encode(),
    "the key id": b"es-key",
    "nothing": b"",
}


@pytest.mark.parametrize("secret", AS_SECRET.values(), ids=AS_SECRET.keys())
def test_a_public_key_is_no_secret(secret: bytes) -> None:
    """An HMAC under any form of the public key is refused, whichever of the two names the header gives."""
    confused = {"alg": "HS256", "kid": "es-key"}, {"alg": "ES256", "kid": "es-key"}
    tokens = [compact(header, sign=lambda message: hs256(message, secret)) for header in confused]
    assert [outcome(token, ES_KEY) for token in tokens] == [
        TokenStatus.ALGORITHM_MISMATCH,
        TokenStatus.SIGNATURE_INVALID,
    ]
    assert outcome(compact(confused[1], sign=es256), ES_KEY) is TokenStatus.ACTIVE


def test_a_secret_is_no_elliptic_key() -> None:
    """A token that names ES256 is refused by an HMAC key, however it is signed."""
    for sign in (es256, hs256):
        assert outcome(compact({"alg": "ES256", "kid": "hs-key"}, sign=sign), HS_KEY) is TokenStatus.ALGORITHM_MISMATCH
    assert outcome(compact({"alg": "HS256", "kid": "hs-key"}), HS_KEY) is TokenStatus.ACTIVE


def test_a_verification_key_of_an_elliptic_key_cannot_sign() -> None:
    """What verifies holds the public half alone."""
    assert isinstance(ES_SIGNING, SigningKey)
    assert not hasattr(verification_key(ES_SIGNING).handle, "sign")
    assert hasattr(ES_SIGNING.handle, "sign")
