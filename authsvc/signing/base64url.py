"""Base64url without padding (RFC 7515, section 2), with exactly one text for each sequence of bytes."""

from __future__ import annotations

import binascii

# What only standard base64 has becomes what no base64 has.
_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
_FROM_STANDARD = bytes.maketrans(b"+/", b"-_")
_PADDING = (b"", b"===", b"==", b"=")
# The last character where one or two bytes are left over: the bits that it has beyond them are zero.
_LAST = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")


def encode(raw: bytes) -> str:
    """The base64url text of ``raw``, without padding."""
    return binascii.b2a_base64(raw, newline=False).translate(_FROM_STANDARD).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """The bytes of a canonical base64url text.

    Raises ``ValueError`` for padding, any character outside the alphabet, an impossible length, or stray bits in
    the last character: so that one token has one spelling.
    """
    return decode_segment(in_standard_alphabet(text))


def in_standard_alphabet(text: str) -> bytes:
    """Several segments with dots between them, in one step; raises ``ValueError`` for what is not ASCII.

    ``decode_segment`` reads each of them; the positions are those of the text.
    """
    try:
        return text.encode("ascii").translate(_TO_STANDARD)
    except UnicodeEncodeError:
        raise ValueError("not base64url") from None


def decode_segment(segment: bytes) -> bytes:
    """As ``decode``, of what ``in_standard_alphabet`` made."""
    rest = len(segment) % 4
    try:
        raw = binascii.a2b_base64(segment + _PADDING[rest], strict_mode=True)
    except ValueError:  # not the alphabet, or an impossible length
        raise ValueError("not base64url") from None
    if rest and segment[-1] not in _LAST[rest]:
        raise ValueError("not canonical base64url")
    return raw
