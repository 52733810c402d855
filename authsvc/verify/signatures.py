"""A bounded memory of signatures that were verified, so that a token shown again costs no cryptography.

It keeps successes only: a flood of forgeries adds nothing. What it keeps is what can never change (these bytes were
signed by this key and say this); everything that can change is checked again at each hit.
"""

from __future__ import annotations

import hashlib
import threading
from typing import Protocol

from authsvc.model import ApiKey
from authsvc.verify.bounded import BUDGET, Bounded
from authsvc.verify.verdict import VerifiedToken


class SignatureMemory(Protocol):
    """What a verifier remembers signatures in, by app and the SHA-256 of the token."""

    def find(self, api_key: ApiKey, digest: bytes) -> VerifiedToken | None:
        """The token, if its signature was verified before."""

    def keep(self, api_key: ApiKey, digest: bytes, token: VerifiedToken, size: int = 0) -> None:
        """Remember a verified token, whose text has ``size`` bytes."""


class VerifiedSignatures:
    """At most ``capacity`` verified tokens of ``budget`` bytes of text. Counts how often it could help."""

    def __init__(self, capacity: int = 65_536, *, budget: int = BUDGET) -> None:
        self._tokens: Bounded[tuple[ApiKey, bytes], VerifiedToken] = Bounded(capacity, budget=budget)
        self._counting = threading.Lock()
        self.hits = 0
        self.misses = 0

    def find(self, api_key: ApiKey, digest: bytes) -> VerifiedToken | None:
        """The token of that app with that digest, if its signature was verified before."""
        token = self._tokens.find((api_key, digest))
        with self._counting:
            if token is None:
                self.misses += 1
            else:
                self.hits += 1
        return token

    def keep(self, api_key: ApiKey, digest: bytes, token: VerifiedToken, size: int = 0) -> None:
        """Remember a verified token, whose text has ``size`` bytes."""
        self._tokens.keep((api_key, digest), token, size)

    def __len__(self) -> int:
        return len(self._tokens)


def digest_of(text: str) -> bytes:
    """The SHA-256 of a token, whatever its text holds."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
