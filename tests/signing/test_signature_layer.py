"""Signatures: the key's own algorithm, the whole signature, nothing like it."""

from __future__ import annotations

import hashlib
import hmac
import itertools

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from authsvc.model import TokenStatus
from authsvc.signing.jws import parse_compact, verify_signature
from tests.signing.handmade import (
    ES_KEY,
    OTHER_PRIVATE,
    PRIVATE,
    SECRET,
    Sign,
    b64,
    compact,
    es256,
    hs256,
    outcome,
)

# The order of the P-256 group and the prime of its field (SEC 2, 2.4.2).
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF

ES_HEADER = {"alg": "ES256", "kid": "es-key"}
HS_HEADER = {"alg": "HS256", "kid": "hs-key"}


def raw(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def parts(signature: bytes) -> tuple[int, int]:
    return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")


def der(signature: bytes) -> bytes:
    return encode_dss_signature(*parts(signature))


EDGES = {"0": 0, "1": 1, "n-1": N - 1, "n": N, "p": P, "n+1": N + 1, "all ones": 2**256 - 1}


@pytest.mark.parametrize(("r", "s"), list(itertools.product(EDGES, repeat=2)))
def test_edge_values_are_no_signature(r: str, s: str) -> None:
    """r and s at the edges of their range are refused, in all combinations."""
    text = compact(ES_HEADER, sign=lambda _: raw(EDGES[r], EDGES[s]))
    assert outcome(text, ES_KEY) is TokenStatus.SIGNATURE_INVALID


ES_MUTANTS: dict[str, Sign] = {
    "empty": lambda message: b"",
    "DER": lambda message: der(es256(message)),
    "DER cut to 64 bytes": lambda message: der(es256(message))[:64],
    "one byte short": lambda message: es256(message)[:-1],
    "one byte long": lambda message: es256(message) + b"\0",
    "a zero before": lambda message: b"\0" + es256(message),
    "twice": lambda message: es256(message) * 2,
    "r alone": lambda message: es256(message)[:32],
    "s before r": lambda message: es256(message)[32:] + es256(message)[:32],
    "little end first": lambda message: es256(message)[31::-1] + es256(message)[:31:-1],
    "r plus n": lambda message: raw((parts(es256(message))[0] + N) % 2**256, parts(es256(message))[1]),
    "n minus r": lambda message: raw(N - parts(es256(message))[0], parts(es256(message))[1]),
    "P-384 widths": lambda message: bytes(16) + es256(message)[:32] + bytes(16) + es256(message)[32:],
    "another key": lambda message: es256(message, OTHER_PRIVATE),
    "another message": lambda message: es256(message + b"."),
    "another hash": lambda message: _with_sha384(message),
    "an HMAC under the public point": lambda message: hmac.digest(_point(), message, hashlib.sha256) * 2,
}


def _with_sha384(message: bytes) -> bytes:
    return raw(*decode_dss_signature(PRIVATE.sign(message, ec.ECDSA(hashes.SHA384()))))


def _point() -> bytes:
    numbers = PRIVATE.public_key().public_numbers()
    return raw(numbers.x, numbers.y)


@pytest.mark.parametrize("sign", ES_MUTANTS.values(), ids=ES_MUTANTS.keys())
def test_nothing_like_an_ecdsa_signature(sign: Sign) -> None:
    """Only 64 bytes r‖s over exactly what was signed, by that key, fit."""
    assert outcome(compact(ES_HEADER, sign=es256), ES_KEY) is TokenStatus.ACTIVE
    assert outcome(compact(ES_HEADER, sign=sign), ES_KEY) is TokenStatus.SIGNATURE_INVALID


def test_ecdsa_allows_two_signatures() -> None:
    """(r, n-s) fits wherever (r, s) does: so nothing may ever be denied by a token's text."""
    text = compact(ES_HEADER, b'{"a":1}', es256)
    twin = compact(ES_HEADER, b'{"a":1}', lambda _: _flipped(text))
    assert twin != text
    assert verify_signature(parse_compact(twin), ES_KEY) == verify_signature(parse_compact(text), ES_KEY)


def _flipped(text: str) -> bytes:
    r, s = parts(parse_compact(text).signature)
    return raw(r, N - s)


@pytest.mark.parametrize("kept", range(32))
def test_a_cut_tag_is_refused(kept: int) -> None:
    """An HMAC tag with its end cut off is refused, at whatever length."""
    assert outcome(compact(HS_HEADER, sign=lambda message: hs256(message)[:kept])) is TokenStatus.SIGNATURE_INVALID


HS_MUTANTS: dict[str, Sign] = {
    "a zero after": lambda message: hs256(message) + b"\0",
    "a zero before": lambda message: b"\0" + hs256(message),
    "twice": lambda message: hs256(message) * 2,
    "in hexadecimal": lambda message: hs256(message).hex().encode(),
    "backwards": lambda message: hs256(message)[::-1],
    "inverted": lambda message: bytes(byte ^ 0xFF for byte in hs256(message)),
    "all zero": lambda message: bytes(32),
    "SHA-384": lambda message: hmac.digest(SECRET, message, hashlib.sha384),
    "SHA-512": lambda message: hmac.digest(SECRET, message, hashlib.sha512),
    "SHA-512 cut to 32 bytes": lambda message: hmac.digest(SECRET, message, hashlib.sha512)[:32],
    "no secret": lambda message: hs256(message, b""),
    "the secret cut": lambda message: hs256(message, SECRET[:-1]),
    "the secret in base64url": lambda message: hs256(message, b64(SECRET).encode()),
    "a secret of zeros": lambda message: hs256(message, bytes(32)),
    "a plain hash": lambda message: hashlib.sha256(message).digest(),
    "the secret hashed before": lambda message: hashlib.sha256(SECRET + message).digest(),
    "another message": lambda message: hs256(message + b"."),
    "an elliptic signature": es256,
}


@pytest.mark.parametrize("sign", HS_MUTANTS.values(), ids=HS_MUTANTS.keys())
def test_nothing_like_a_tag(sign: Sign) -> None:
    """Only the whole tag of 32 bytes over exactly what was signed, under that secret, fits."""
    assert outcome(compact(HS_HEADER, sign=hs256)) is TokenStatus.ACTIVE
    assert outcome(compact(HS_HEADER, sign=sign)) is TokenStatus.SIGNATURE_INVALID
