"""Keys as handles: what signs and what verifies, neither of which prints, pickles or compares by its secret.

One key, one algorithm. ``kid`` is the RFC 7638 thumbprint of an asymmetric key, 128 random bits of an HMAC key.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import NoReturn

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from authsvc.clock import Randomness
from authsvc.model import Algorithm, KeyId
from authsvc.signing import base64url
from authsvc.signing.strict_json import write_object

HMAC_SECRET_BYTES = 32


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
    """Make a key. ``randomness`` feeds HMAC secrets and ids; elliptic keys come from OpenSSL's own generator."""
    if algorithm is Algorithm.HS256:
        return NewKey(KeyId(base64url.encode(randomness(16))), algorithm, randomness(HMAC_SECRET_BYTES), "")
    private = ec.generate_private_key(ec.SECP256R1())
    secret = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    jwk = _public_members(private.public_key())
    return NewKey(thumbprint(jwk), algorithm, secret, write_object(jwk).decode("ascii"))


def signing_key(key_id: KeyId, algorithm: Algorithm, secret: bytes) -> SigningKey:
    """The key whose secret part was made by ``generate``; raises ``ValueError`` when it is not one."""
    if algorithm is Algorithm.HS256:
        return SigningKey(key_id, algorithm, secret)
    private = serialization.load_der_private_key(secret, password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise ValueError("not a P-256 private key")
    return SigningKey(key_id, algorithm, private)


def verification_key(key: SigningKey) -> VerificationKey:
    """The half of a signing key that others may use (for HMAC there is only one half)."""
    handle = key.handle.public_key() if isinstance(key.handle, ec.EllipticCurvePrivateKey) else key.handle
    return VerificationKey(key.key_id, key.algorithm, handle)


def thumbprint(jwk: dict[str, object]) -> KeyId:
    """SHA-256 over the required members of a JWK in canonical form (RFC 7638, section 3)."""
    required = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return KeyId(base64url.encode(hashlib.sha256(write_object(required)).digest()))


def _public_members(public: ec.EllipticCurvePublicKey) -> dict[str, object]:
    numbers = public.public_numbers()
    x, y = (base64url.encode(n.to_bytes(32, "big")) for n in (numbers.x, numbers.y))
    return {"crv": "P-256", "kty": "EC", "x": x, "y": y}
