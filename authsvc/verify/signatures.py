"""A bounded memory of signatures that were verified, so that a token shown again costs no cryptography.

It keeps successes only: a flood of forgeries adds nothing. What it keeps is what can never change (these bytes were
signed by this key and say this); everything that can change is checked again at each hit.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

from authsvc.model import ApiKey
from authsvc.verify.verdict import VerifiedToken

_Fingerprint = tuple[ApiKey, bytes]


class VerifiedSignatures:
    """At most ``capacity`` verified tokens of ``budget`` bytes of text, the longest kept leaving first.

    Counts how often it could help. What is kept of a token is a few times its text: the budget bounds the memory.
    """

    def __init__(self, capacity: int, *, budget: int = 32 * 2**20) -> None:
        self._capacity = capacity
        self._budget = budget
        self._sizes: dict[_Fingerprint, int] = {}
        self._held = 0
        self._lock = threading.Lock()
        self._tokens: OrderedDict[_Fingerprint, VerifiedToken] = OrderedDict()
        self._counting = threading.Lock()
        self.hits = 0
        self.misses = 0

    def fingerprint(self, api_key: ApiKey, text: str, digest: bytes | None = None) -> _Fingerprint:
        """What a token is remembered by: its app and its SHA-256 (``digest`` where it is known), never its text."""
        return api_key, digest_of(text) if digest is None else digest

    def find(self, fingerprint: _Fingerprint) -> VerifiedToken | None:
        """The token with that fingerprint, if its signature was verified before."""
        token = self._tokens.get(fingerprint)
        with self._counting:
            if token is None:
                self.misses += 1
            else:
                self.hits += 1
        return token

    def keep(self, fingerprint: _Fingerprint, token: VerifiedToken, size: int = 0) -> None:
        """Remember a verified token, whose text has ``size`` bytes."""
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
