"""A bounded memory of signatures that were verified, so that a token shown again costs no cryptography.

It keeps successes only: a flood of forgeries adds nothing. What it keeps is what can never change (these bytes were
signed by this key and say this); everything that can change is checked again at each hit.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Protocol

from authsvc.model import ApiKey
from authsvc.verify.verdict import VerifiedToken

_Fingerprint = tuple[ApiKey, bytes]


class SignatureMemory(Protocol):
    """What a verifier remembers signatures in, by app and the SHA-256 of the token."""

    def find(self, api_key: ApiKey, digest: bytes) -> VerifiedToken | None:
        """The token, if its signature was verified before."""

    def keep(self, api_key: ApiKey, digest: bytes, token: VerifiedToken, size: int = 0) -> None:
        """Remember a verified token, whose text has ``size`` bytes."""


class VerifiedSignatures:
    """At most ``capacity`` verified tokens of ``budget`` bytes of text, the longest kept leaving first.

    Counts how often it could help. What is kept of a token is a few times its text: the budget bounds the memory.
    """

    def __init__(self, capacity: int = 65_536, *, budget: int = 32 * 2**20) -> None:
        self._capacity = capacity
        self._budget = budget
        self._sizes: dict[_Fingerprint, int] = {}
        self._held = 0
        self._lock = threading.Lock()
        self._tokens: OrderedDict[_Fingerprint, VerifiedToken] = OrderedDict()
        self._counting = threading.Lock()
        self.hits = 0
        self.misses = 0

    def find(self, api_key: ApiKey, digest: bytes) -> VerifiedToken | None:
        """The token of that app with that digest, if its signature was verified before."""
        token = self._tokens.get((api_key, digest))
        with self._counting:
            if token is None:
                self.misses += 1
            else:
                self.hits += 1
        return token

    def keep(self, api_key: ApiKey, digest: bytes, token: VerifiedToken, size: int = 0) -> None:
        """Remember a verified token, whose text has ``size`` bytes."""
        fingerprint = api_key, digest
        with self._lock:
            self._held += size - self._sizes.get(fingerprint, 0)
            self._tokens[fingerprint], self._sizes[fingerprint] = token, size
            while len(self._tokens) > self._capacity or self._held > self._budget:
                oldest, _ = self._tokens.popitem(last=False)
                self._held -= self._sizes.pop(oldest)

    def __len__(self) -> int:
        return len(self._tokens)


def digest_of(text: str) -> bytes:
    """The SHA-256 of a token, whatever its text holds."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
