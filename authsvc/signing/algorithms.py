"""The mathematics of each signature algorithm: PyJWT's algorithm objects, never its token functions.

PyJWT's ``encode`` and ``decode`` read the wall clock, accept several spellings of one token and re-parse keys at
each call; its algorithm objects do neither. This is the only module that imports ``jwt``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jwt.algorithms import Algorithm as Mathematics
from jwt.algorithms import ECAlgorithm, HMACAlgorithm

from authsvc.model import Algorithm

# Any: the key type differs by algorithm and PyJWT's own signatures are generic over it.
MATHEMATICS: Mapping[str, Any] = MappingProxyType(
    {
        Algorithm.ES256: ECAlgorithm(ECAlgorithm.SHA256),
        Algorithm.HS256: HMACAlgorithm(HMACAlgorithm.SHA256),
    }
)


def sign(algorithm: Algorithm, key: object, message: bytes) -> bytes:
    """The signature of ``message``: 64 bytes r‖s for ES256 (RFC 7518, 3.4), 32 bytes for HS256 (3.2)."""
    mathematics: Mathematics = MATHEMATICS[algorithm]
    return mathematics.sign(message, key)


def verify(algorithm: Algorithm, key: object, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` is one of ``message`` under ``key``; a signature of any wrong shape is simply not."""
    mathematics: Mathematics = MATHEMATICS[algorithm]
    return mathematics.verify(message, key, signature)
