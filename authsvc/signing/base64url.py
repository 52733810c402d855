"""Base64url without padding (RFC 7515, section 2), with exactly one text for each sequence of bytes."""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64encode

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_TO_STANDARD = str.maketrans("-_", "+/")


def encode(raw: bytes) -> str:
    """The base64url text of ``raw``, without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """The bytes of a canonical base64url text.

    Raises ``ValueError`` for padding, any character outside the alphabet, an impossible length, or stray bits in
    the last character: re-encoding must give the same text, so that one token has one spelling.
    """
    if _ALPHABET.fullmatch(text) is None:
        raise ValueError("not base64url")
    try:
        raw = binascii.a2b_base64(text.translate(_TO_STANDARD) + "=" * (-len(text) % 4))
    except binascii.Error:
        raise ValueError("not base64url") from None
    if encode(raw) != text:
        raise ValueError("not canonical base64url")
    return raw
