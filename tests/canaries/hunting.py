"""Looks for secrets in heaps of bytes: whole or any eight bytes of them, as they are, in hex, in base64, as a repr."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping

PART = 8
Secrets = Mapping[str, Iterable[bytes]]
"""By kind; of each kind there may be several."""


class Hunt:
    """Knows the secrets; what it finds it names by kind and form, never by value."""

    def __init__(self, secrets: Secrets) -> None:
        self._names = {
            needle: f"{kind} ({form})"
            for kind, values in secrets.items()
            for value in values
            for form, needle in needles(value)
        }

    def found(self, place: bytes) -> set[str]:
        """Which secrets can be read there, and how."""
        # One pass over the place for all needles: only those that begin like something there are looked for.
        beginnings = {place[start : start + PART] for start in range(len(place) - PART + 1)}
        return {name for needle, name in self._names.items() if needle[:PART] in beginnings and needle in place}


def needles(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """Each form of each eight bytes of a secret."""
    for start in range(len(secret) - PART + 1):
        yield from forms(secret[start : start + PART])


def forms(part: bytes) -> Iterator[tuple[str, bytes]]:
    """How eight bytes may look; for base64 what is seen of them wherever they lie in a longer text."""
    yield "raw", part
    yield "hex", part.hex().encode()
    yield "HEX", part.hex().upper().encode()
    yield "numbers", ", ".join(map(str, part)).encode()
    if (shown := repr(part)[2:-1].encode()) != part:
        yield "repr", shown
    for shift in range(3):
        inner = part[shift : shift + (PART - shift) // 3 * 3]
        yield "base64", base64.b64encode(inner)
        yield "base64url", base64.urlsafe_b64encode(inner)
