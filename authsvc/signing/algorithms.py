"""The mathematics of each signature algorithm: PyJWT's algorithm objects, never its token functions.

PyJWT's ``encode`` and ``decode`` read the wall clock, accept several spellings of one token and re-parse keys at
each call; its algorithm objects do neither. This is the only module that imports ``jwt``. For ECDSA the library below
it is asked directly: what PyJWT does between r‖s and that library is a sixth of a signature's price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from jwt.algorithms import HMACAlgorithm, OKPAlgorithm, RSAAlgorithm, RSAPSSAlgorithm

from authsvc.model import Algorithm


@dataclass(frozen=True, slots=True)
class Family:
    """What keys of an algorithm are: the JWK key type, for curves the curve, for HMAC the least size of a secret."""

    key_type: str
    curve: str = ""
    secret_bytes: int = 0


# RFC 7518, sections 3.2 to 3.5 and 6; RFC 8037 for EdDSA.
FAMILIES: Mapping[Algorithm, Family] = MappingProxyType(
    {
        Algorithm.HS256: Family("oct", secret_bytes=32),
        Algorithm.HS384: Family("oct", secret_bytes=48),
        Algorithm.HS512: Family("oct", secret_bytes=64),
        Algorithm.ES256: Family("EC", curve="P-256"),
        Algorithm.ES384: Family("EC", curve="P-384"),
        Algorithm.ES512: Family("EC", curve="P-521"),
        Algorithm.EDDSA: Family("OKP", curve="Ed25519"),
        Algorithm.RS256: Family("RSA"),
        Algorithm.RS384: Family("RSA"),
        Algorithm.RS512: Family("RSA"),
        Algorithm.PS256: Family("RSA"),
        Algorithm.PS384: Family("RSA"),
        Algorithm.PS512: Family("RSA"),
    }
)


class _Ecdsa:
    """ECDSA with one hash on one curve; a signature is r‖s, each as long as the curve's order (RFC 7518, 3.4)."""

    __slots__ = ("_scheme", "_size")

    def __init__(self, digest: hashes.HashAlgorithm, size: int) -> None:
        self._scheme = ec.ECDSA(digest)
        self._size = size

    def sign(self, message: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
        r, s = decode_dss_signature(key.sign(message, self._scheme))
        return r.to_bytes(self._size, "big") + s.to_bytes(self._size, "big")

    def verify(self, message: bytes, key: ec.EllipticCurvePublicKey, signature: bytes) -> bool:
        size = self._size
        if len(signature) != 2 * size:
            return False
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        try:
            key.verify(encode_dss_signature(r, s), message, self._scheme)
        except InvalidSignature:
            return False
        return True


class _Rsa:
    """RSA as PyJWT has it, of signatures as long as the modulus (RFC 8017, 8.1.2 and 8.2.2, step 1).

    The library below also takes a PSS signature that begins with a zero byte without it: one token, two texts.
    """

    __slots__ = ("_scheme",)

    def __init__(self, scheme: RSAAlgorithm) -> None:
        self._scheme = scheme

    def sign(self, message: bytes, key: rsa.RSAPrivateKey) -> bytes:
        return self._scheme.sign(message, key)

    def verify(self, message: bytes, key: rsa.RSAPublicKey, signature: bytes) -> bool:
        return len(signature) == (key.key_size + 7) // 8 and self._scheme.verify(message, key, signature)


# Any: the key type differs by algorithm and PyJWT's own signatures are generic over it.
_MATHEMATICS: Mapping[str, Any] = MappingProxyType(
    {
        Algorithm.HS256: HMACAlgorithm(HMACAlgorithm.SHA256),
        Algorithm.HS384: HMACAlgorithm(HMACAlgorithm.SHA384),
        Algorithm.HS512: HMACAlgorithm(HMACAlgorithm.SHA512),
        Algorithm.ES256: _Ecdsa(hashes.SHA256(), 32),
        Algorithm.ES384: _Ecdsa(hashes.SHA384(), 48),
        Algorithm.ES512: _Ecdsa(hashes.SHA512(), 66),
        Algorithm.EDDSA: OKPAlgorithm(),
        Algorithm.RS256: _Rsa(RSAAlgorithm(RSAAlgorithm.SHA256)),
        Algorithm.RS384: _Rsa(RSAAlgorithm(RSAAlgorithm.SHA384)),
        Algorithm.RS512: _Rsa(RSAAlgorithm(RSAAlgorithm.SHA512)),
        Algorithm.PS256: _Rsa(RSAPSSAlgorithm(RSAPSSAlgorithm.SHA256)),
        Algorithm.PS384: _Rsa(RSAPSSAlgorithm(RSAPSSAlgorithm.SHA384)),
        Algorithm.PS512: _Rsa(RSAPSSAlgorithm(RSAPSSAlgorithm.SHA512)),
    }
)


def sign(algorithm: Algorithm, key: object, message: bytes) -> bytes:
    """The signature of ``message``: r‖s for ECDSA (RFC 7518, 3.4), the full tag for HMAC (3.2)."""
    signature: bytes = _MATHEMATICS[algorithm].sign(message, key)
    return signature


def verify(algorithm: Algorithm, key: object, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is one of ``message`` under ``key``; a signature of any wrong shape is simply not."""
    fits: bool = _MATHEMATICS[algorithm].verify(message, key, signature)
    return fits
