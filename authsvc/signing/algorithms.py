"""The mathematics of each signature algorithm: ECDSA here, the others in ``authsvc.signing.pyjwt``.

For ECDSA the library below PyJWT is asked directly: what PyJWT does between r‖s and that library is a sixth of a
signature's price.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

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


_ECDSA: Mapping[Algorithm, _Ecdsa] = MappingProxyType(
    {
        Algorithm.ES256: _Ecdsa(hashes.SHA256(), 32),
        Algorithm.ES384: _Ecdsa(hashes.SHA384(), 48),
        Algorithm.ES512: _Ecdsa(hashes.SHA512(), 66),
    }
)


@cache
def _mathematics(algorithm: Algorithm) -> Any:
    # Any: the key type differs by algorithm and PyJWT's own signatures are generic over it.
    if algorithm in _ECDSA:
        return _ECDSA[algorithm]
    from authsvc.signing import pyjwt  # noqa: PLC0415 - dear to import, and ECDSA does without

    return pyjwt.MATHEMATICS[algorithm]


def prepare(algorithm: Algorithm) -> None:
    """Load what the algorithm needs: done where a key is read, so that no signature waits for it."""
    _mathematics(algorithm)


def sign(algorithm: Algorithm, key: object, message: bytes) -> bytes:
    """The signature of ``message``: r‖s for ECDSA (RFC 7518, 3.4), the full tag for HMAC (3.2)."""
    signature: bytes = _mathematics(algorithm).sign(message, key)
    return signature


def verify(algorithm: Algorithm, key: object, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is one of ``message`` under ``key``; a signature of any wrong shape is simply not."""
    fits: bool = _mathematics(algorithm).verify(message, key, signature)
    return fits
