"""Tokens made by hand, so that every part of one can be wrong on purpose; signed without the code under test."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from authsvc.model import Algorithm, KeyId, TokenStatus
from authsvc.signing.jws import parse_compact, verify_signature
from authsvc.signing.keys import SigningKey, VerificationKey, verification_key
from authsvc.signing.rejected import Rejected

Sign = Callable[[bytes], bytes]
"""From what is signed to its signature."""

SECRET: Final = bytes(range(32))
PRIVATE: Final = ec.derive_private_key(0xA11CE, ec.SECP256R1())
OTHER_PRIVATE: Final = ec.derive_private_key(0xB0B, ec.SECP256R1())

HS_SIGNING: Final = SigningKey(KeyId("hs-key"), Algorithm.HS256, SECRET)
ES_SIGNING: Final = SigningKey(KeyId("es-key"), Algorithm.ES256, PRIVATE)
HS_KEY: Final = verification_key(HS_SIGNING)
ES_KEY: Final = verification_key(ES_SIGNING)


def b64(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def json_bytes(value: object) -> bytes:
    """Plain JSON, as anyone would write it."""
    return json.dumps(value).encode()


def hs256(message: bytes, secret: bytes = SECRET) -> bytes:
    """HMAC with SHA-256."""
    return hmac.digest(secret, message, hashlib.sha256)


def es256(message: bytes, private: ec.EllipticCurvePrivateKey = PRIVATE) -> bytes:
    """ECDSA with SHA-256, as r‖s of 32 bytes each."""
    r, s = decode_dss_signature(private.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def compact(header: object, payload: bytes = b"{}", sign: Sign = hs256) -> str:
    """A compact token of any header: bytes are taken as they are, everything else is written as JSON."""
    raw = header if isinstance(header, bytes) else json_bytes(header)
    signed = f"{b64(raw)}.{b64(payload)}"
    return f"{signed}.{b64(sign(signed.encode()))}"


def outcome(text: str, key: VerificationKey = HS_KEY) -> TokenStatus:
    """What the signature layer says of a token; ACTIVE stands for a signature that fits."""
    try:
        verify_signature(parse_compact(text), key)
    except Rejected as rejected:
        return rejected.status
    return TokenStatus.ACTIVE
