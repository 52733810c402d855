"""From JSON Web Keys (RFC 7517) to keys of ours, strictly: what could be read in two ways is refused by name.

A key states its algorithm; it may be used for signatures only; public and secret keys never share a set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from authsvc.model import Algorithm, KeyId
from authsvc.signing import base64url, weak_ed25519
from authsvc.signing.algorithms import FAMILIES, prepare
from authsvc.signing.key_text import is_key_text
from authsvc.signing.keys import CURVES, PublicKey, VerificationKey, fits, public_members, thumbprint
from authsvc.signing.strict_json import JsonObject, read_object
from authsvc.signing.weak_rsa import weakness

# As issuers and audiences are: what every log, header and address can carry.
_KEY_ID = re.compile(r"[!-~]{1,256}", re.ASCII)
_SIGNATURES_ALONE = (["verify"], ["sign"], ["sign", "verify"], ["verify", "sign"])


class KeyRefused(ValueError):
    """A key or a set of keys cannot be used; the text says why and never shows key material."""


def parse_key(text: str) -> VerificationKey:
    """The key of a JWK text; raises ``KeyRefused``."""
    return key_of(_object(text))


def parse_key_set(text: str) -> dict[KeyId, VerificationKey]:
    """The keys of a JWK set (RFC 7517, section 5) by kid; raises ``KeyRefused``.

    Refused: an empty set, a key without a kid, a kid that comes twice, secret beside public keys. Public keys of
    several types may stand together: each has one algorithm (docs/decisions/0028).
    """
    members = _object(text).get("keys")
    if not isinstance(members, list) or not members:
        raise KeyRefused("a key set has a non-empty list of keys")
    keys = [key_of(member) for member in map(_member, members)]
    by_id = {key.key_id: key for key in keys}
    if len(by_id) != len(keys):
        raise KeyRefused("two keys of the set have the same kid")
    if len({FAMILIES[key.algorithm].key_type == "oct" for key in keys}) != 1:
        raise KeyRefused("the set holds secret and public keys together")
    return by_id


def key_of(jwk: JsonObject) -> VerificationKey:
    """The key that a JWK describes, its private members left aside; raises ``KeyRefused``."""
    algorithm = _algorithm(jwk)
    _check_use(jwk)
    prepare(algorithm)
    if FAMILIES[algorithm].key_type == "oct":
        return VerificationKey(_key_id(jwk, ""), algorithm, hmac_secret(_bytes(jwk, "k"), algorithm))
    public = _public(jwk)
    if not fits(algorithm, public):
        raise KeyRefused("its alg is not one of its key type and curve")
    return VerificationKey(_key_id(jwk, thumbprint(public_members(public))), algorithm, public)


def hmac_secret(secret: bytes, algorithm: Algorithm) -> bytes:
    """A secret for HMAC; raises ``KeyRefused`` for one that is shorter than the hash, or the text of another key.

    RFC 7518, section 3.2: a key of at least the size of the hash output MUST be used.
    """
    if len(secret) < FAMILIES[algorithm].secret_bytes:
        raise KeyRefused(f"a secret of {algorithm} has at least {FAMILIES[algorithm].secret_bytes} bytes")
    return not_key_text(secret)


def not_key_text(secret: bytes) -> bytes:
    """A secret of any length; raises ``KeyRefused`` for the text of an asymmetric key: everybody may know that one."""
    if is_key_text(secret):
        raise KeyRefused("the secret is the text of an asymmetric key (PEM, DER, SSH or JWK)")
    return secret


def _object(text: str) -> JsonObject:
    try:
        return read_object(text.encode())
    except ValueError:
        raise KeyRefused("not a strict JSON object") from None


def _member(value: object) -> JsonObject:
    if not isinstance(value, dict):
        raise KeyRefused("a key of the set is not an object")
    if "kid" not in value:
        raise KeyRefused("a key of the set has no kid")
    return value


def _algorithm(jwk: JsonObject) -> Algorithm:
    name = jwk.get("alg")
    if not isinstance(name, str) or name not in set(Algorithm):
        raise KeyRefused("its alg must be a signature algorithm that is known here")
    if jwk.get("kty") != FAMILIES[Algorithm(name)].key_type:
        raise KeyRefused("its kty is not that of its alg")
    return Algorithm(name)


def _check_use(jwk: JsonObject) -> None:
    if jwk.get("use", "sig") != "sig":
        raise KeyRefused("its use is not sig")
    # RFC 7517, 4.3: none twice, and none beside it that has nothing to do with signatures.
    if jwk.get("key_ops", ["verify"]) not in _SIGNATURES_ALONE:
        raise KeyRefused("its key_ops must be verify, sign or both, each once")


def _key_id(jwk: JsonObject, default: str) -> KeyId:
    key_id = jwk.get("kid", default)
    if not isinstance(key_id, str) or _KEY_ID.fullmatch(key_id) is None:
        raise KeyRefused("its kid must be a text of 1 to 256 visible ASCII characters")
    return KeyId(key_id)


def _public(jwk: JsonObject) -> PublicKey:
    try:
        match jwk["kty"]:
            case "RSA":
                return _rsa(jwk)
            case "OKP":
                return _edwards(jwk)
            case _:
                return _elliptic(jwk)
    except ValueError as fault:
        # The library's texts speak of points and sizes; ours are kept, theirs are not shown.
        raise fault if isinstance(fault, KeyRefused) else KeyRefused("its numbers are no key") from None


def _rsa(jwk: JsonObject) -> rsa.RSAPublicKey:
    modulus, exponent = _number(jwk, "n"), _number(jwk, "e")
    if fault := weakness(modulus, exponent):
        raise KeyRefused(fault)
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _edwards(jwk: JsonObject) -> ed25519.Ed25519PublicKey:
    if jwk.get("crv") != "Ed25519":
        raise KeyRefused("its curve is not Ed25519")
    point = _bytes(jwk, "x")
    if fault := weak_ed25519.weakness(point):
        raise KeyRefused(fault)
    return ed25519.Ed25519PublicKey.from_public_bytes(point)


def _elliptic(jwk: JsonObject) -> ec.EllipticCurvePublicKey:
    curve = _curve(jwk)
    x, y = _bytes(jwk, "x"), _bytes(jwk, "y")
    if {len(x), len(y)} != {(curve.key_size + 7) // 8}:
        raise KeyRefused("its coordinates are not of the size of its curve")
    return ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve).public_key()


def _curve(jwk: Mapping[str, object]) -> ec.EllipticCurve:
    curve = CURVES.get(str(jwk.get("crv")))
    if curve is None:
        raise KeyRefused("its curve is not P-256, P-384 or P-521")
    return curve


def _number(jwk: JsonObject, name: str) -> int:
    raw = _bytes(jwk, name)
    if raw[:1] == b"\0":  # RFC 7518, 2: the fewest octets; so that one key has one text, and one thumbprint
        raise KeyRefused(f"its {name} must not begin with zero bytes")
    return int.from_bytes(raw, "big")


def _bytes(jwk: JsonObject, name: str) -> bytes:
    text = jwk.get(name)
    if not isinstance(text, str):
        raise KeyRefused(f"its {name} is missing")
    try:
        return base64url.decode(text)
    except ValueError:
        raise KeyRefused(f"its {name} is not base64url") from None
