"""Keys as handles: what signs and what verifies, neither of which prints, pickles or compares by its secret.

One key, one algorithm. ``kid`` is the RFC 7638 thumbprint of an asymmetric key, 128 random bits of an HMAC key.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import NoReturn

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from authsvc.clock import Randomness
from authsvc.model import Algorithm, KeyId
from authsvc.signing import base64url
from authsvc.signing.algorithms import FAMILIES, prepare
from authsvc.signing.strict_json import write_object

RSA_BITS = 2048
CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True, eq=False)
class SigningKey:
    """A key that signs. Its text form shows the id only."""

    key_id: KeyId
    algorithm: Algorithm
    handle: object = field(repr=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signing key is not pickled")


@dataclass(frozen=True, slots=True, eq=False)
class VerificationKey:
    """A key that verifies. For HMAC it is the secret itself, so it does not print either."""

    key_id: KeyId
    algorithm: Algorithm
    handle: object = field(repr=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a verification key is not pickled")


@dataclass(frozen=True, slots=True, eq=False)
class NewKey:
    """A key just made: its secret part to be sealed, its public part as canonical JWK text (empty for HMAC)."""

    key_id: KeyId
    algorithm: Algorithm
    secret: bytes = field(repr=False)
    public_jwk: str

    def __reduce__(self) -> NoReturn:
        raise TypeError("a new key is not pickled")


def generate(algorithm: Algorithm, randomness: Randomness) -> NewKey:
    """Make a key. ``randomness`` feeds HMAC secrets and ids; other keys come from OpenSSL's own generator.

    An RSA key takes a tenth of a second and more: not on the path of a call that others wait behind.
    """
    family = FAMILIES[algorithm]
    if family.key_type == "oct":
        return NewKey(KeyId(base64url.encode(randomness(16))), algorithm, randomness(family.secret_bytes), "")
    private = _generate(algorithm)
    secret = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    jwk = public_members(private.public_key())
    return NewKey(thumbprint(jwk), algorithm, secret, write_object(jwk).decode("ascii"))


def imported(secret: bytes, randomness: Randomness) -> NewKey:
    """An HS256 key from a secret that others made and hold too."""
    return NewKey(KeyId(base64url.encode(randomness(16))), Algorithm.HS256, secret, "")


def signing_key(key_id: KeyId, algorithm: Algorithm, secret: bytes) -> SigningKey:
    """The key whose secret part was made by ``generate``; raises ``ValueError`` when it is not one."""
    prepare(algorithm)
    if FAMILIES[algorithm].key_type == "oct":
        return SigningKey(key_id, algorithm, secret)
    private = serialization.load_der_private_key(secret, password=None)
    if not isinstance(private, PrivateKey) or not fits(algorithm, private.public_key()):
        raise ValueError("the stored key is not one of its algorithm")
    return SigningKey(key_id, algorithm, private)


def verification_key(key: SigningKey) -> VerificationKey:
    """The half of a signing key that others may use (for HMAC there is only one half)."""
    handle = key.handle.public_key() if isinstance(key.handle, PrivateKey) else key.handle
    return VerificationKey(key.key_id, key.algorithm, handle)


def thumbprint(jwk: dict[str, object]) -> KeyId:
    """SHA-256 over the required members of a public JWK in canonical form (RFC 7638, 3; RFC 8037, 2).

    ``jwk`` must hold exactly those members, as ``public_members`` gives them.
    """
    return KeyId(base64url.encode(hashlib.sha256(write_object(jwk)).digest()))


def public_members(public: PublicKey) -> dict[str, object]:
    """The required members of a public key as a JWK (RFC 7518, 6.2.1 and 6.3.1; RFC 8037, 2)."""
    match public:
        case ec.EllipticCurvePublicKey():
            numbers, size = public.public_numbers(), (public.key_size + 7) // 8
            x, y = (base64url.encode(n.to_bytes(size, "big")) for n in (numbers.x, numbers.y))
            return {"crv": _curve_of(public), "kty": "EC", "x": x, "y": y}
        case ed25519.Ed25519PublicKey():
            return {"crv": "Ed25519", "kty": "OKP", "x": base64url.encode(public.public_bytes_raw())}
        case rsa.RSAPublicKey():
            modulus, exponent = public.public_numbers().n, public.public_numbers().e
            return {"e": _base64url_uint(exponent), "kty": "RSA", "n": _base64url_uint(modulus)}


def fits(algorithm: Algorithm, public: PublicKey) -> bool:
    """Whether a key is one of the algorithm: of its type and on its curve."""
    members, family = public_members(public), FAMILIES[algorithm]
    return members["kty"] == family.key_type and members.get("crv", "") == family.curve


def _generate(algorithm: Algorithm) -> PrivateKey:
    family = FAMILIES[algorithm]
    if family.key_type == "RSA":
        return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    if family.key_type == "OKP":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(CURVES[family.curve])


def _curve_of(public: ec.EllipticCurvePublicKey) -> str:
    # A curve that is not ours keeps the library's name, which fits no algorithm.
    return next((name for name, curve in CURVES.items() if curve.name == public.curve.name), public.curve.name)


def _base64url_uint(number: int) -> str:
    return base64url.encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))
