"""HMAC, EdDSA and RSA by PyJWT's algorithm objects, never its token functions.

PyJWT's ``encode`` and ``decode`` read the wall clock, accept several spellings of one token and re-parse keys at
each call; its algorithm objects do neither. This is the only module that imports ``jwt``, and it is loaded when the
first key of such an algorithm is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import HMACAlgorithm, OKPAlgorithm, RSAAlgorithm, RSAPSSAlgorithm

from authsvc.model import Algorithm


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


MATHEMATICS: Mapping[Algorithm, object] = MappingProxyType(
    {
        Algorithm.HS256: HMACAlgorithm(HMACAlgorithm.SHA256),
        Algorithm.HS384: HMACAlgorithm(HMACAlgorithm.SHA384),
        Algorithm.HS512: HMACAlgorithm(HMACAlgorithm.SHA512),
        Algorithm.EDDSA: OKPAlgorithm(),
        Algorithm.RS256: _Rsa(RSAAlgorithm(RSAAlgorithm.SHA256)),
        Algorithm.RS384: _Rsa(RSAAlgorithm(RSAAlgorithm.SHA384)),
        Algorithm.RS512: _Rsa(RSAAlgorithm(RSAAlgorithm.SHA512)),
        Algorithm.PS256: _Rsa(RSAPSSAlgorithm(RSAPSSAlgorithm.SHA256)),
        Algorithm.PS384: _Rsa(RSAPSSAlgorithm(RSAPSSAlgorithm.SHA384)),
        Algorithm.PS512: _Rsa(RSAPSSAlgorithm(RSAPSSAlgorithm.SHA512)),
    }
)
