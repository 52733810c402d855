"""Keys and sets of keys that are refused, each by a sentence that says why; beside each the key without the fault."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from authsvc.model import Algorithm
from authsvc.signing.jwk import KeyRefused, hmac_secret, not_key_text, parse_key, parse_key_set
from tests.signing.families import HANDLES, RSA_PRIVATE, joserfc_key
from tests.signing.handmade import PRIVATE, b64

Jwk = dict[str, Any]
Case = tuple[str, Jwk, Jwk, str]
"""Its name, the key that is refused, the same key without the fault, and what is said."""

Remove = object()


def jwk(algorithm: Algorithm, **changes: object) -> Jwk:
    """A good public key of that algorithm, or its secret, changed."""
    whole: Any = joserfc_key(algorithm).as_dict(private=isinstance(HANDLES[algorithm], bytes))
    members = {name: whole[name] for name in ("kty", "crv", "x", "y", "n", "e", "k") if name in whole}
    changed = {**members, "alg": algorithm.value, "kid": algorithm.value, **changes}
    return {name: value for name, value in changed.items() if value is not Remove}


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8 or 1, "big"))


def refusal(key: object) -> str:
    with pytest.raises(KeyRefused) as refused:
        parse_key(key if isinstance(key, str) else json.dumps(key))
    assert refused.value.__cause__ is None, "another library's text is not shown"
    return str(refused.value)


RS, ES, ED, HS = Algorithm.RS256, Algorithm.ES256, Algorithm.EDDSA, Algorithm.HS256
N = RSA_PRIVATE.public_key().public_numbers().n
NUMBERS = PRIVATE.public_key().public_numbers()
ES_POINT, P384_POINT = (jwk(one) for one in (ES, Algorithm.ES384))

NOT_STRICT = "not a strict JSON object"
UNKNOWN_ALG = "its alg must be a signature algorithm that is known here"
OTHER_KTY = "its kty is not that of its alg"
OTHER_CURVE = "its alg is not one of its key type and curve"
NOT_FOR_SIGNATURES = "its use is not sig"
OTHER_OPERATIONS = "its key_ops must be verify, sign or both, each once"
NO_KID = "its kid must be a text of 1 to 256 visible ASCII characters"
NO_NUMBERS = "its numbers are no key"
COORDINATE_SIZE = "its coordinates are not of the size of its curve"
MODULUS_SIZE = "its modulus must have 2048 to 4096 bits"
EXPONENT = "its public exponent must be odd, at least 3 and below 2^32"
KEY_TEXT = "the secret is the text of an asymmetric key (PEM, DER, SSH or JWK)"


def changed(algorithm: Algorithm, said: str, **changes: object) -> list[Case]:
    """A key with a member changed, or several; beside it the good one."""
    name = ", ".join(f"{member} = {_short(value)}" for member, value in changes.items())
    return [(f"{algorithm}: {name}", jwk(algorithm, **changes), jwk(algorithm), said)]


def _short(value: object) -> str:
    text = "missing" if value is Remove else json.dumps(value)
    return ascii(text if len(text) <= 40 else f"{text[:12]}… of {len(text)}")


def each(algorithm: Algorithm, said: str, name: str, *values: object) -> list[Case]:
    """As ``changed``, for each value of one member."""
    return [case for value in values for case in changed(algorithm, said, **{name: value})]


REFUSED = [
    # RFC 7517, 4.4; RFC 8725, 3.1: a key has one algorithm, and says which.
    *each(ES, UNKNOWN_ALG, "alg", Remove, None, "", "none", "es256", "ES256K", "ECDH-ES", ["ES256"], 256, True),
    *each(RS, UNKNOWN_ALG, "alg", "RSA1_5", "RSA-OAEP", "RS1"),
    *each(ED, UNKNOWN_ALG, "alg", "Ed25519", "Ed448", "EDDSA"),
    *each(HS, UNKNOWN_ALG, "alg", "A128GCM", "HS1"),
    *each(ES, OTHER_KTY, "kty", Remove, None, "", "ec", "RSA", "OKP", "oct", ["EC"]),
    *each(ES, OTHER_KTY, "alg", "RS256", "EdDSA", "HS256"),
    *each(RS, OTHER_KTY, "alg", "ES256", "EdDSA", "HS256"),
    *each(ED, OTHER_KTY, "alg", "ES256", "RS256", "HS256"),
    *each(HS, OTHER_KTY, "alg", "ES256", "RS256", "EdDSA"),
    *each(ES, OTHER_CURVE, "alg", "ES384", "ES512"),
    *each(Algorithm.ES512, OTHER_CURVE, "alg", "ES256", "ES384"),
    # RFC 7517, 4.2 and 4.3: for signatures alone.
    *each(ES, NOT_FOR_SIGNATURES, "use", "enc", "SIG", "", None, ["sig"]),
    *each(RS, NOT_FOR_SIGNATURES, "use", "enc"),
    *each(ES, OTHER_OPERATIONS, "key_ops", [], None, "verify", ["encrypt"], ["verify", "encrypt"]),
    *each(ES, OTHER_OPERATIONS, "key_ops", ["verify", "verify"], ["sign", "verify", "sign"], ["Verify"]),
    *each(ES, OTHER_OPERATIONS, "key_ops", [["verify"]], [None], {"verify": 1}, ["sign", "wrapKey"]),
    # 4.5: what logs, headers and addresses carry.
    *each(ES, NO_KID, "kid", "", None, 7, ["k"], "a b", "a\n", "a\0", "a\x7f", "a\x1b[2J", "é", "k" * 257),
    *each(HS, NO_KID, "kid", Remove, ""),
    # RFC 7518, 6.2: points.
    *each(ES, "its curve is not P-256, P-384 or P-521", "crv", Remove, "P-192", "secp256k1", "p-256", 256),
    *each(ES, "its x is missing", "x", Remove, None, 7),
    *each(ES, "its y is missing", "y", Remove),
    *each(ES, "its x is not base64url", "x", "=", "AA==", "A", "+" + ES_POINT["x"][1:], ES_POINT["x"] + "\n"),
    *each(ES, COORDINATE_SIZE, "x", "", b64(b"\0" * 33), b64(bytes(31)), P384_POINT["x"]),
    *changed(ES, COORDINATE_SIZE, x=P384_POINT["x"], y=P384_POINT["y"]),
    *changed(ES, COORDINATE_SIZE, crv="P-384"),
    *changed(ES, NO_NUMBERS, y=b64((NUMBERS.y ^ 1).to_bytes(32, "big"))),
    *changed(ES, NO_NUMBERS, x=b64(bytes(32)), y=b64(bytes(32))),
    *each(ES, NO_NUMBERS, "x", b64(b"\xff" * 32)),
    # RFC 8037, 2; the points themselves are in test_weak_ed25519.py.
    *each(ED, "its curve is not Ed25519", "crv", Remove, "Ed448", "X25519", "ed25519", "P-256"),
    *each(ED, "its x is missing", "x", Remove, None),
    *each(ED, "its x must have 32 bytes", "x", "", b64(bytes(31)), b64(bytes(33)), b64(bytes(57))),
    # RFC 7518, 6.3 and 3.3; RFC 8725, 3.5.
    *each(RS, "its n is missing", "n", Remove),
    *each(RS, "its e is missing", "e", Remove, 65537),
    *each(RS, "its n must not begin with zero bytes", "n", b64(b"\0" + N.to_bytes(256, "big")), b64(bytes(256))),
    *each(RS, "its e must not begin with zero bytes", "e", "AAEAAQ", "AA"),
    *each(RS, MODULUS_SIZE, "n", "", "AQ", number(N >> 1), number(2**2047 - 1), number(2**4096 + 1), number(N**3)),
    *each(RS, EXPONENT, "e", "", number(1), number(2), number(65536), number(2**32 + 1), number(N - 2)),
    # RFC 7518, 3.2 and 6.4.
    *each(HS, "its k is missing", "k", Remove, None, 7),
    *each(HS, "its k is not base64url", "k", "secret secret secret secret secret!", b64(bytes(32)) + "="),
    *each(HS, "a secret of HS256 has at least 32 bytes", "k", "", b64(bytes(31))),
    *each(Algorithm.HS384, "a secret of HS384 has at least 48 bytes", "k", b64(bytes(47)), b64(bytes(32))),
    *each(Algorithm.HS512, "a secret of HS512 has at least 64 bytes", "k", b64(bytes(63)), b64(bytes(48))),
]


@pytest.mark.parametrize(("key", "good", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_key_is_refused_by_its_fault(key: Jwk, good: Jwk, said: str) -> None:
    """What is wrong with a key is said in one sentence, and the key without that fault is accepted."""
    assert parse_key(json.dumps(good)).algorithm == good["alg"]
    assert refusal(key) == said


@pytest.mark.parametrize(
    "text", ["", "null", "[]", '"key"', "{", '{"kty":"EC","kty":"RSA"}', '{"n":NaN}', "{}x", "\ud800", "[" * 5000]
)
def test_a_key_is_one_strict_object(text: str) -> None:
    """A text that is no JSON object, or could be read in two ways, is no key and no set of keys."""
    assert refusal(text) == NOT_STRICT
    with pytest.raises(KeyRefused, match=f"^{NOT_STRICT}$"):
        parse_key_set(text)


@pytest.mark.parametrize("e", [3, 17, 65537, 2**32 - 1])
def test_the_exponents_of_others(e: int) -> None:
    """Odd exponents from 3 to below 2^32 are accepted: the refused ones lie right beside them."""
    assert parse_key(json.dumps(jwk(RS, e=number(e)))).algorithm is RS


@pytest.mark.parametrize("modulus", [2**2047 + 1, 2**4096 - 1], ids=["2048 bits", "4096 bits"])
def test_the_sizes_of_moduli(modulus: int) -> None:
    """The smallest and the largest modulus are accepted."""
    assert parse_key(json.dumps(jwk(RS, n=number(modulus)))).algorithm is RS


def test_a_key_of_the_flawed_generator_is_refused() -> None:
    """A modulus whose primes have ROCA's form is refused by that name; a number beside it is not."""
    primorial = 1
    for prime in (q for q in range(2, 702) if all(q % d for d in range(2, q))):
        primorial *= prime
    p, q = (
        (1 << 1024 - primorial.bit_length()) * primorial * k + pow(65537, a, primorial) for k, a in ((1, 5), (1, 9))
    )
    assert refusal(jwk(RS, n=number(p * q))) == ("its primes come from a generator whose keys can be factored (ROCA)")
    assert parse_key(json.dumps(jwk(RS, n=number(p * q + 2)))).algorithm is RS


def key_texts() -> dict[str, bytes]:
    """Every kind of key, public and private, as other software writes it."""
    kinds: dict[str, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey] = {
        str(one): handle for one in (RS, ES, ED) if not isinstance(handle := HANDLES[one], bytes)
    }
    texts: dict[str, bytes] = {}
    for name, private in kinds.items():
        public = private.public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        texts |= {
            f"{name}, PEM": pem,
            f"{name}, PEM with CRLF": pem.replace(b"\n", b"\r\n"),
            f"{name}, body of the PEM": b"".join(pem.splitlines()[1:-1]),
            f"{name}, DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            f"{name}, SSH": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
            f"{name}, JWK": json.dumps(jwk(Algorithm(name))).encode(),
            f"{name}, JWK set": json.dumps({"keys": [jwk(Algorithm(name))]}).encode(),
            f"{name} private, PEM": private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            f"{name} private, DER": private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        }
    return texts


KEY_TEXTS = key_texts()


@pytest.mark.parametrize("text", KEY_TEXTS.values(), ids=KEY_TEXTS.keys())
def test_the_text_of_a_key_is_no_secret(text: bytes) -> None:
    """The text of an asymmetric key is refused as a JWK's secret and as a bare one, however long it is."""
    assert refusal(jwk(HS, k=b64(text.ljust(32)))) == KEY_TEXT
    for take in (not_key_text, lambda secret: hmac_secret(secret.ljust(32), HS)):
        with pytest.raises(KeyRefused) as refused:
            take(text)
        assert str(refused.value) == KEY_TEXT
    reversed_text = text[::-1].ljust(32, b"!")
    assert parse_key(json.dumps(jwk(HS, k=b64(reversed_text)))).handle == reversed_text


GOOD_SET = [jwk(RS), jwk(ES), jwk(ED)]
SECRETS = [jwk(HS), jwk(HS, kid="another")]
NO_LIST = "a key set has a non-empty list of keys"
REFUSED_SETS: Mapping[str, tuple[object, str]] = {
    "no keys": ({}, NO_LIST),
    "an empty set": ({"keys": []}, NO_LIST),
    "keys in an object": ({"keys": {"a": jwk(ES)}}, NO_LIST),
    "null": ({"keys": None}, NO_LIST),
    "one key, bare": (jwk(ES), NO_LIST),
    "a member that is a text": ({"keys": [*GOOD_SET, "key"]}, "a key of the set is not an object"),
    "a member that is null": ({"keys": [*GOOD_SET, None]}, "a key of the set is not an object"),
    "a member that is a list": ({"keys": [*GOOD_SET, [jwk(ES)]]}, "a key of the set is not an object"),
    "a member without kid": ({"keys": [*GOOD_SET, jwk(ES, kid=Remove)]}, "a key of the set has no kid"),
    "a kid that is empty": ({"keys": [*GOOD_SET, jwk(ES, kid="")]}, NO_KID),
    "the same key twice": ({"keys": [jwk(ES), jwk(ES)]}, "two keys of the set have the same kid"),
    "two keys with one kid": ({"keys": [jwk(RS, kid="k"), jwk(ES, kid="k")]}, "two keys of the set have the same kid"),
    "two secrets with one kid": ({"keys": [jwk(HS), jwk(HS)]}, "two keys of the set have the same kid"),
    "a secret beside public keys": ({"keys": [*GOOD_SET, jwk(HS)]}, "the set holds secret and public keys together"),
    "a public key beside secrets": ({"keys": [*SECRETS, jwk(ED)]}, "the set holds secret and public keys together"),
    "one key with a fault": ({"keys": [*GOOD_SET, jwk(RS, e="AQ", kid="k")]}, EXPONENT),
    "a key for encryption": ({"keys": [*GOOD_SET, jwk(ES, use="enc", kid="k")]}, NOT_FOR_SIGNATURES),
}


@pytest.mark.parametrize(("keys", "said"), REFUSED_SETS.values(), ids=REFUSED_SETS.keys())
def test_a_set_is_refused_by_its_fault(keys: object, said: str) -> None:
    """What is wrong with a set, or with any key of it, is said in one sentence, and none of its keys is taken."""
    with pytest.raises(KeyRefused) as refused:
        parse_key_set(json.dumps(keys))
    assert str(refused.value) == said


def test_sets_that_are_taken() -> None:
    """Public keys of several types stand together, and so do several secrets: each by its kid, with its algorithm."""
    for keys in (GOOD_SET, SECRETS, [jwk(one) for one in Algorithm if not one.value.startswith("HS")]):
        taken = parse_key_set(json.dumps({"keys": keys}))
        assert {kid: key.algorithm.value for kid, key in taken.items()} == {key["kid"]: key["alg"] for key in keys}


def test_what_is_said_shows_no_key() -> None:
    """A refusal holds nothing of the key that it is about."""
    material = "c2VjcmV0LW1hdGVyaWFsLXRoYXQtbXVzdC1ub3QtYmUtc2hvd24"
    for key in (jwk(HS, k=material), jwk(ES, x=material), jwk(ED, x=material), jwk(RS, n=material)):
        said = refusal({**key, "use": "enc"}) + (refusal(key) if key["kty"] != "oct" else "")
        assert material not in said
        assert base64.urlsafe_b64decode(material + "=").decode() not in said


GOOD_MEMBERS: list[dict[str, object]] = [
    {"use": "sig"},
    {"key_ops": ["verify"]},
    {"key_ops": ["sign"]},
    {"key_ops": ["sign", "verify"]},
    {"key_ops": ["verify", "sign"], "use": "sig"},
    {"kid": "k" * 256},
    {"kid": "!~/:@"},
    {"ext": True},
]


@pytest.mark.parametrize("members", GOOD_MEMBERS, ids=json.dumps)
def test_what_a_key_may_say(members: dict[str, object]) -> None:
    """A key may say that it is for signatures, have any visible kid of up to 256 characters, and members of others."""
    key = parse_key(json.dumps(jwk(ES, **members)))
    assert key.key_id == members.get("kid", ES.value)
