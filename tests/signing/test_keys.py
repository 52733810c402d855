"""Keys: made, named by their thumbprint, opened again, and never shown."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import subprocess
import sys
import traceback
from functools import cache
from itertools import permutations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwk
from joserfc.jwk import ECKey

from authsvc.clock import system_randomness
from authsvc.model import Algorithm, KeyId
from authsvc.signing import base64url
from authsvc.signing.algorithms import FAMILIES
from authsvc.signing.jwk import parse_key
from authsvc.signing.jws import sign_compact
from authsvc.signing.keys import NewKey, generate, signing_key, thumbprint, verification_key
from tests.signing.handmade import outcome

ALL = pytest.mark.parametrize("algorithm", Algorithm)
PUBLIC = pytest.mark.parametrize("algorithm", [one for one in Algorithm if FAMILIES[one].key_type != "oct"])


@cache
def one_made(algorithm: Algorithm) -> NewKey:
    """A key of that algorithm, for tests that do not ask for a new one: RSA keys take their time."""
    return generate(algorithm, system_randomness)


def numbered(size: int) -> bytes:
    """Randomness that is none: bytes that say how many were asked for."""
    return bytes([size]) * size


@ALL
def test_what_is_made_signs_and_verifies(algorithm: Algorithm) -> None:
    """A generated key, opened from its secret part, signs what its other half accepts."""
    made = one_made(algorithm)
    key = signing_key(made.key_id, made.algorithm, made.secret)
    text = sign_compact(key, typ="JWT", payload=b"{}")
    assert outcome(text, verification_key(key)).value == "ACTIVE"
    assert (key.key_id, key.algorithm) == (made.key_id, algorithm)


@ALL
def test_no_two_keys_are_alike(algorithm: Algorithm) -> None:
    """Each generated key has a secret and an id of its own."""
    number = 2 if FAMILIES[algorithm].key_type == "RSA" else 20
    made = [generate(algorithm, system_randomness) for _ in range(number)]
    assert len({one.secret for one in made}) == len({one.key_id for one in made}) == number


def test_an_hmac_key_is_random() -> None:
    """An HMAC key is 32 bytes of the randomness passed in, its id 16 more; it has no public part."""
    made = generate(Algorithm.HS256, numbered)
    assert made.secret == bytes([32]) * 32
    assert made.key_id == base64url.encode(bytes([16]) * 16)
    assert made.public_jwk == ""


@PUBLIC
def test_a_public_key_is_named_by_its_thumbprint(algorithm: Algorithm) -> None:
    """The kid of a key with a public part is what an independent library computes from that part (RFC 7638)."""
    made = one_made(algorithm)
    theirs = jwk.import_key(json.loads(made.public_jwk))
    assert made.key_id == theirs.thumbprint()
    assert parse_key(json.dumps({**json.loads(made.public_jwk), "alg": algorithm.value})).key_id == made.key_id


# RFC 7638, 3.1; RFC 8037, A.2 and A.3; RFC 9449, 6.1 (the `jkt` of its example).
PUBLISHED = {
    "RSA": (
        {
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZ"
            "CiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c"
            "7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-"
            "csFCur-kEgU8awapJzKnqDKgw",
            "e": "AQAB",
            "alg": "RS256",
        },
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
    ),
    "OKP": (
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "alg": "EdDSA"},
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
    ),
    "EC": (
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
            "alg": "ES256",
        },
        "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
    ),
}


@pytest.mark.parametrize(("key", "name"), PUBLISHED.values(), ids=PUBLISHED.keys())
def test_published_thumbprints(key: dict[str, object], name: str) -> None:
    """A key of the RFCs goes by the thumbprint that stands there, whatever its other members and their order."""
    members = {member: value for member, value in key.items() if member != "alg"}
    assert thumbprint(dict(members)) == name
    for order in (key, dict(reversed(key.items())), {**key, "use": "sig", "ext": True}):
        assert parse_key(json.dumps(order)).key_id == name
    assert parse_key(json.dumps({**key, "kid": "its"})).key_id == "its", "a kid that it states is kept"


PUBLIC_MEMBERS = {"EC": ["crv", "kty", "x", "y"], "OKP": ["crv", "kty", "x"], "RSA": ["e", "kty", "n"]}


@PUBLIC
def test_a_public_part_has_only_public_members_in_one_text(algorithm: Algorithm) -> None:
    """The JWK of a key is dense, sorted, and holds what its type asks for alone, in as many bytes as it should."""
    made, family = one_made(algorithm), FAMILIES[algorithm]
    members = json.loads(made.public_jwk)
    assert list(members) == PUBLIC_MEMBERS[family.key_type]
    assert made.public_jwk == json.dumps(members, separators=(",", ":"))
    sizes = {name: len(base64url.decode(members[name])) for name in members if name in "xyne"}
    width = {"P-256": 32, "P-384": 48, "P-521": 66, "Ed25519": 32, "": 0}[family.curve]
    assert sizes == {"n": 256, "e": 3} if family.key_type == "RSA" else set(sizes.values()) == {width}


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


KINDS = [Algorithm.ES256, Algorithm.ES384, Algorithm.ES512, Algorithm.EDDSA, Algorithm.RS256]


@pytest.mark.parametrize(("stored", "asked"), list(permutations(KINDS, 2)))
def test_a_key_is_opened_as_what_it_is(stored: Algorithm, asked: Algorithm) -> None:
    """A stored key of another type or curve than its algorithm has is refused when it is opened."""
    made = one_made(stored)
    assert signing_key(made.key_id, stored, made.secret).algorithm is stored
    with pytest.raises(ValueError, match="not one of its algorithm"):
        signing_key(made.key_id, asked, made.secret)


def forms_of(made: NewKey) -> list[str]:
    """The secret as it could be seen: raw, hex, base64url, and pieces of each."""
    texts = [made.secret.hex(), base64url.encode(made.secret), repr(made.secret)[2:-1]]
    return [text[start : start + 12] for text in texts for start in range(0, len(text) - 12, 4)]


@ALL
def test_no_key_shows_its_secret(algorithm: Algorithm) -> None:
    """No text form of a key, of what holds it or of an error about it contains any part of the secret."""
    made = one_made(algorithm)
    signing = signing_key(made.key_id, made.algorithm, made.secret)
    for key in (made, signing, verification_key(signing)):
        record = logging.LogRecord("n", logging.INFO, "p", 1, "%s %r", (key, key), None)
        shown = [repr(key), str(key), f"{key}", repr([{"key": key}]), record.getMessage()]
        assert made.key_id in shown[0]
        assert not [part for part in forms_of(made) for text in shown if part in text]
    assert [part for part in forms_of(made) if part in made.secret.hex()], "the search would notice"


@ALL
def test_no_key_is_pickled_or_copied(algorithm: Algorithm) -> None:
    """Pickling or copying a key is refused, and the refusal shows nothing."""
    made = one_made(algorithm)
    signing = signing_key(made.key_id, made.algorithm, made.secret)
    for key in (made, signing, verification_key(signing)):
        for take in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="not pickled") as refused:
                take(key)
            text = "".join(traceback.format_exception(refused.value))
            assert not [part for part in forms_of(made) if part in text]


@ALL
def test_keys_are_not_compared_by_their_secret(algorithm: Algorithm) -> None:
    """Two handles of one secret are two keys: nothing can be learnt from comparing."""
    made = one_made(algorithm)
    first, second = (signing_key(made.key_id, made.algorithm, made.secret) for _ in range(2))
    assert first != second
    assert len({first, second}) == 2


@pytest.mark.parametrize("algorithm", [Algorithm.HS256, Algorithm.EDDSA])
def test_no_signature_waits_for_a_library(algorithm: Algorithm) -> None:
    """What a key needs to sign is loaded when the key is read, not before and not by the first signature."""
    program = """if True:
        import sys
        from authsvc.model import Algorithm, KeyId
        from authsvc.signing.jws import sign_compact
        from authsvc.signing.keys import signing_key
        print("jwt" in sys.modules)
        key = signing_key(KeyId("k"), Algorithm(sys.argv[1]), bytes.fromhex(sys.argv[2]))
        print("jwt" in sys.modules)
        before = set(sys.modules)
        sign_compact(key, typ="JWT", payload=b"{}")
        print(sorted(set(sys.modules) - before))
    """
    command = [sys.executable, "-c", program, algorithm, one_made(algorithm).secret.hex()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["False", "True", "[]"]
