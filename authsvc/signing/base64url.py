"""Base64url without padding (RFC 7515, section 2), with exactly one text for each sequence of bytes."""

from __future__ import annotations

import binascii

_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_FROM_STANDARD = bytes.maketrans(b"+/", b"-_")


def encode(raw: bytes) -> str:
    """The base64url text of ``raw``, without padding."""
    return binascii.b2a_base64(raw, newline=False).translate(_FROM_STANDARD).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """The bytes of a canonical base64url text.

    Raises ``ValueError`` for padding, any character outside the alphabet, an impossible length, or stray bits in
    the last character: so that one token has one spelling.
    """
    try:
        raw = binascii.a2b_base64(text.encode("ascii").translate(_TO_STANDARD) + b"=" * (-len(text) % 4))
    except ValueError:  # not ASCII, or an impossible length
        raise ValueError("not base64url") from None
    # The decoder skips what it does not know; only a text that is its own re-encoding is let through.
    if encode(raw) != text:
        raise ValueError("not canonical base64url")
    return raw
