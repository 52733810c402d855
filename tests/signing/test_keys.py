"""Keys: made, named by their thumbprint, opened again, and never shown."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc.jwk import ECKey

from authsvc.clock import system_randomness
from authsvc.model import Algorithm, KeyId
from authsvc.signing import base64url
from authsvc.signing.jws import sign_compact
from authsvc.signing.keys import NewKey, generate, signing_key, thumbprint, verification_key
from tests.signing.handmade import outcome

BOTH = pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.HS256])


def numbered(size: int) -> bytes:
    """Randomness that is none: bytes that say how many were asked for."""
    return bytes([size]) * size


@BOTH
def test_what_is_made_signs_and_verifies(algorithm: Algorithm) -> None:
    """A generated key, opened from its secret part, signs what its other half accepts."""
    made = generate(algorithm, system_randomness)
    key = signing_key(made.key_id, made.algorithm, made.secret)
    text = sign_compact(key, typ="JWT", payload=b"{}")
    assert outcome(text, verification_key(key)).value == "ACTIVE"
    assert (key.key_id, key.algorithm) == (made.key_id, algorithm)


@BOTH
def test_no_two_keys_are_alike(algorithm: Algorithm) -> None:
    """Each generated key has a secret and an id of its own."""
    made = [generate(algorithm, system_randomness) for _ in range(20)]
    assert len({one.secret for one in made}) == len({one.key_id for one in made}) == 20


def test_an_hmac_key_is_random() -> None:
    """An HMAC key is 32 bytes of the randomness passed in, its id 16 more; it has no public part."""
    made = generate(Algorithm.HS256, numbered)
    assert made.secret == bytes([32]) * 32
    assert made.key_id == base64url.encode(bytes([16]) * 16)
    assert made.public_jwk == ""


def test_an_elliptic_key_is_named_by_its_thumbprint() -> None:
    """The kid of an ES256 key is what an independent library computes from its public part (RFC 7638)."""
    made = generate(Algorithm.ES256, system_randomness)
    assert made.key_id == ECKey.import_key(json.loads(made.public_jwk)).thumbprint()


def test_a_published_thumbprint() -> None:
    """The thumbprint of the key in RFC 9449, section 6.1, is the `jkt` that stands there."""
    published = {
        "crv": "P-256",
        "kty": "EC",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
    }
    assert thumbprint(dict(published)) == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def test_a_public_part_has_only_public_members_in_one_text() -> None:
    """The JWK of an ES256 key is dense, sorted, and holds the curve and the point alone, each of 32 bytes."""
    made = generate(Algorithm.ES256, system_randomness)
    members = json.loads(made.public_jwk)
    assert list(members) == ["crv", "kty", "x", "y"]
    assert made.public_jwk == json.dumps(members, separators=(",", ":"))
    assert [len(base64url.decode(members[name])) for name in "xy"] == [32, 32]


def test_a_coordinate_with_leading_zeros_keeps_its_width() -> None:
    """A point whose x begins with zero bytes is written with them, and names the key as others would."""
    private = next(
        key
        for number in range(1, 5000)
        if (key := ec.derive_private_key(number, ec.SECP256R1())).public_key().public_numbers().x < 2**248
    )
    numbers = private.public_key().public_numbers()
    members = {
        "crv": "P-256",
        "kty": "EC",
        "x": base64url.encode(numbers.x.to_bytes(32, "big")),
        "y": base64url.encode(numbers.y.to_bytes(32, "big")),
    }
    assert ECKey.import_key(private).as_dict(private=False)["x"] == members["x"]
    assert thumbprint(dict(members)) == ECKey.import_key(private).thumbprint()


def der_of(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


NOT_P256 = {
    "another curve": der_of(ec.derive_private_key(7, ec.SECP384R1())),
    "a curve of the same size": der_of(ec.derive_private_key(7, ec.SECP256K1())),
    "RSA": der_of(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "a secret": bytes(32),
    "nothing": b"",
}


@pytest.mark.parametrize("secret", NOT_P256.values(), ids=NOT_P256.keys())
def test_only_p256_signs_es256(secret: bytes) -> None:
    """What is stored under ES256 and is no P-256 private key is refused when it is opened."""
    signing_key(KeyId("k"), Algorithm.ES256, der_of(ec.derive_private_key(7, ec.SECP256R1())))
    with pytest.raises(ValueError):
        signing_key(KeyId("k"), Algorithm.ES256, secret)


def forms_of(made: NewKey) -> list[str]:
    """The secret as it could be seen: raw, hex, base64url, and pieces of each."""
    texts = [made.secret.hex(), base64url.encode(made.secret), repr(made.secret)[2:-1]]
    return [text[start : start + 12] for text in texts for start in range(0, len(text) - 12, 4)]


@BOTH
def test_no_key_shows_its_secret(algorithm: Algorithm) -> None:
    """No text form of a key, of what holds it or of an error about it contains any part of the secret."""
    made = generate(algorithm, system_randomness)
    signing = signing_key(made.key_id, made.algorithm, made.secret)
    for key in (made, signing, verification_key(signing)):
        record = logging.LogRecord("n", logging.INFO, "p", 1, "%s %r", (key, key), None)
        shown = [repr(key), str(key), f"{key}", repr([{"key": key}]), record.getMessage()]
        assert made.key_id in shown[0]
        assert not [part for part in forms_of(made) for text in shown if part in text]
    assert [part for part in forms_of(made) if part in made.secret.hex()], "the search would notice"


@BOTH
def test_no_key_is_pickled_or_copied(algorithm: Algorithm) -> None:
    """Pickling or copying a key is refused, and the refusal shows nothing."""
    made = generate(algorithm, system_randomness)
    signing = signing_key(made.key_id, made.algorithm, made.secret)
    for key in (made, signing, verification_key(signing)):
        for take in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="not pickled") as refused:
                take(key)
            text = "".join(traceback.format_exception(refused.value))
            assert not [part for part in forms_of(made) if part in text]


@BOTH
def test_keys_are_not_compared_by_their_secret(algorithm: Algorithm) -> None:
    """Two handles of one secret are two keys: nothing can be learnt from comparing."""
    made = generate(algorithm, system_randomness)
    first, second = (signing_key(made.key_id, made.algorithm, made.secret) for _ in range(2))
    assert first != second
    assert len({first, second}) == 2
