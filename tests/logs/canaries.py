"""Canaries: values that must not be found anywhere, and the search for them in every disguise."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

RAW = hashlib.sha256(b"a secret of the tests").digest()
TEXT = base64.urlsafe_b64encode(hashlib.sha256(b"another").digest()).decode().rstrip("=")


def found(canary: str | bytes, place: str | bytes) -> list[str]:
    """In which forms `canary`, or eight bytes of it, can be read in `place`; none: []."""
    where = place.encode("utf-8", "surrogatepass") if isinstance(place, str) else place
    whole = canary.encode() if isinstance(canary, str) else canary
    parts = [whole[start : start + 8] for start in range(len(whole) - 7)]
    return sorted({name for part in parts for name, form in _forms(part) if form in where})


def _forms(part: bytes) -> Iterator[tuple[str, bytes]]:
    yield "raw", part
    yield "hex", part.hex().encode()
    yield "HEX", part.hex().upper().encode()
    yield "repr", repr(part)[2:-1].encode()
    yield "numbers", ", ".join(map(str, part)).encode()
    for shift in range(3):
        # What every base64 of a text with this part in it shows, whatever stands around it.
        inner = part[shift : shift + (len(part) - shift) // 3 * 3]
        yield "base64", base64.b64encode(inner)
        yield "base64url", base64.urlsafe_b64encode(inner)
