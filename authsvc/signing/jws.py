"""Compact JWS (RFC 7515, 3.1) in and out, strictly: text to bytes and back, with no idea of what the bytes say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from authsvc.model import Algorithm, KeyId, TokenStatus
from authsvc.signing import algorithms, base64url
from authsvc.signing.keys import SigningKey, VerificationKey
from authsvc.signing.rejected import Rejected
from authsvc.signing.strict_json import read_object, write_object

MAX_PARSED_BYTES = 8 * 1024
MAX_MINTED_BYTES = 4 * 1024

_HEADER_NAMES = frozenset({"alg", "kid", "typ"})
_USUAL_HEADER, _MOST_HEADERS = 512, 256


@dataclass(frozen=True, slots=True)
class Header:
    """The three header parameters a token may have; empty text: absent."""

    alg: str
    kid: str
    typ: str


class CompactToken(NamedTuple):
    """A token taken apart, nothing about it verified. ``payload`` is bytes that must not be believed yet."""

    header: Header
    signing_input: bytes
    payload: bytes
    signature: bytes


def parse_compact(text: str) -> CompactToken:
    """Take a compact token apart; raises ``Rejected(MALFORMED)`` for anything but the one strict form.

    At most 8 KiB, exactly two dots, canonical base64url, a strict JSON header with no name but alg, kid and typ:
    so ``crit``, ``b64``, ``zip``, ``jwk``, ``jku``, ``x5u`` and ``x5c`` are refused unread (RFC 8725, 3.10).
    """
    if len(text) > MAX_PARSED_BYTES:
        raise Rejected(TokenStatus.MALFORMED, "too long")
    try:
        segments = base64url.in_standard_alphabet(text).split(b".", 3)
        if len(segments) != 3:
            raise Rejected(TokenStatus.MALFORMED, "not three segments")
        header, payload, signature = segments
        known = _HEADERS.get(header)
        head = base64url.decode_segment(header) if known is None else b""
        body, tag = base64url.decode_segment(payload), base64url.decode_segment(signature)
        read = known or _remembered(header, _header(head))
    except ValueError as fault:
        raise Rejected(TokenStatus.MALFORMED, str(fault)) from None
    return CompactToken(read, text[: -len(signature) - 1].encode("ascii"), body, tag)


def verify_signature(token: CompactToken, key: VerificationKey) -> bytes:
    """The payload of ``token``, once it is known that the holder of ``key`` signed it.

    Raises ``Rejected``: ALGORITHM_MISMATCH when the header names another algorithm than the key's own (RFC 8725,
    3.1), SIGNATURE_INVALID when the signature does not fit.
    """
    if token.header.alg != key.algorithm:
        raise Rejected(TokenStatus.ALGORITHM_MISMATCH)
    if not algorithms.verify(key.algorithm, key.handle, token.signing_input, token.signature):
        raise Rejected(TokenStatus.SIGNATURE_INVALID)
    return token.payload


def sign_compact(key: SigningKey, *, typ: str, payload: bytes) -> str:
    """The compact token of ``payload`` with exactly ``alg``, ``kid`` and ``typ`` in its header."""
    signing_input = f"{_header_text(key.algorithm, key.key_id, typ)}.{base64url.encode(payload)}"
    signature = algorithms.sign(key.algorithm, key.handle, signing_input.encode("ascii"))
    return f"{signing_input}.{base64url.encode(signature)}"


@lru_cache(maxsize=256)
def _header_text(algorithm: Algorithm, key_id: KeyId, typ: str) -> str:
    """What all tokens of a key and a type begin with."""
    return base64url.encode(write_object({"alg": algorithm.value, "kid": key_id, "typ": typ}))


# All tokens of a key have the same header: it is read once.
_HEADERS: dict[bytes, Header] = {}


def _remembered(segment: bytes, header: Header) -> Header:
    """The header, remembered by its segment; those of forgeries may push out others, and none takes much room."""
    if len(segment) <= _USUAL_HEADER:
        if len(_HEADERS) >= _MOST_HEADERS:
            _HEADERS.clear()
        _HEADERS[segment] = header
    return header


def _header(raw: bytes) -> Header:
    members = read_object(raw)
    if not members.keys() <= _HEADER_NAMES:
        raise ValueError("unknown header parameter")
    alg, kid, typ = (members.get(name, "") for name in ("alg", "kid", "typ"))
    if not (isinstance(alg, str) and isinstance(kid, str) and isinstance(typ, str) and alg):
        raise ValueError("header parameter of a wrong type")
    if "" in members.values():
        raise ValueError("empty header parameter")
    return Header(alg, kid, typ)
