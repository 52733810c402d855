"""The refresh token: ``art1_`` and 39 bytes that name a session and a generation, under a MAC.

Key number 1 ‖ store epoch 2 ‖ session id 16 ‖ generation 4 ‖ MAC 16. The MAC is HMAC-SHA-256, truncated to 128 bits
(RFC 2104, section 5), under the service-wide refresh key: forged text is refused before the store is asked. Nothing
of it is stored, and the same session and generation always give the same text, so a lost reply can be given again.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from functools import lru_cache
from typing import NamedTuple, NoReturn

from authsvc.errors import Reason, RefreshRefused
from authsvc.model import SessionId
from authsvc.signing import base64url
from authsvc.trust.secrets import SecretRing

PREFIX = "art1_"
_BODY = struct.Struct(">BH16sI")
_MAC_BYTES = 16
_MOST_KEYS = 16
_TEXT_LENGTH = len(PREFIX) + 52


class RefreshTicket(NamedTuple):
    """What a refresh token names, its MAC verified."""

    epoch: int
    session_id: SessionId
    generation: int


class RefreshTokens:
    """Makes and reads refresh tokens under the service's refresh keys. Does not print or pickle its keys."""

    def __init__(self, keys: SecretRing) -> None:
        self._keys = keys
        self._begun = lru_cache(maxsize=_MOST_KEYS)(_begin)  # what it holds does not print

    def __repr__(self) -> str:
        return "RefreshTokens(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("refresh keys are not pickled")

    def text_of(self, ticket: RefreshTicket) -> str:
        """The one refresh token of that session and generation under the current key."""
        number, key = self._keys.current()
        body = _BODY.pack(number, ticket.epoch, ticket.session_id, ticket.generation)
        return PREFIX + base64url.encode(body + self._mac(key, body))

    def read(self, text: str) -> RefreshTicket:
        """What the text names; raises ``RefreshRefused`` (REFRESH_TOKEN_INVALID) for anything we did not make."""
        if len(text) != _TEXT_LENGTH or not text.startswith(PREFIX):
            raise _invalid("not of our form")
        try:
            raw = base64url.decode(text.removeprefix(PREFIX))
        except ValueError:
            raise _invalid("not of our form") from None
        body, mac = raw[: _BODY.size], raw[_BODY.size :]
        number, epoch, session_id, generation = _BODY.unpack(body)
        key = self._keys.find(number)
        if key is None or not hmac.compare_digest(mac, self._mac(key, body)):
            raise _invalid("its MAC is not ours")
        return RefreshTicket(epoch, SessionId(session_id), generation)

    def _mac(self, key: bytes, body: bytes) -> bytes:
        """HMAC-SHA-256 (RFC 2104) over the prefix and the body, its first half; begun once for each key."""
        mac = self._begun(key).copy()
        mac.update(body)
        return mac.digest()[:_MAC_BYTES]


def _begin(key: bytes) -> hmac.HMAC:
    return hmac.new(key, PREFIX.encode("ascii"), hashlib.sha256)


def _invalid(detail: str) -> RefreshRefused:
    return RefreshRefused(Reason.REFRESH_TOKEN_INVALID, detail=detail)
