"""Ids that a retry makes again: guests and sessions derived from the request id, with no row kept for it."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from datetime import datetime
from typing import NoReturn

from authsvc.clock import Randomness
from authsvc.model import ApiKey, Kind, Principal, SessionId, UserId
from authsvc.trust.secrets import SecretRing
from authsvc.verify.identifiers import GUEST_PREFIX

_DERIVED, _VARIANT = 8, 0b10
"""The version of a UUID of our own making (RFC 9562, 5.8); those that are drawn have version 4. One variant."""


def first_generation(session_id: SessionId, opened_at: datetime) -> int:
    """Where the count of a session's generations begins: at 0, with a derived id at the second it is opened.

    A derived id comes again when its request does, and nobody remembers a session that was purged. The count grows with
    each opening, so no refresh token of an earlier session is one of a later session with its id; the store keeps a
    session that was turned more often than once a second until the clock has caught up with its count.
    """
    # As ``uuid.UUID(bytes=session_id).version`` has it (RFC 9562, 4.1 and 4.2), for a tenth of its price.
    derived = session_id[6] >> 4 == _DERIVED and session_id[8] >> 6 == _VARIANT
    return int(opened_at.timestamp()) if derived else 0


class DerivedIds:
    """Ids under the service's guest key: nobody without it can foresee or link them. Does not print the key."""

    def __init__(self, keys: SecretRing, randomness: Randomness) -> None:
        self._keys = keys
        self._randomness = randomness

    def __repr__(self) -> str:
        return "DerivedIds(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("the guest key is not pickled")

    def guest_id(self, principal: Principal, api_key: ApiKey, *, hint: str, request_id: str) -> UserId:
        """``guest-<uuid>-<hint>``: the same for the same caller, app, request id and hint; new without a request id."""
        unique = self._unique(request_id, ("guest", principal.account_id, api_key, request_id, hint))
        return UserId(f"{GUEST_PREFIX}{unique}-{hint}" if hint else f"{GUEST_PREFIX}{unique}")

    def session_id(
        self, principal: Principal, api_key: ApiKey, *, kind: Kind, subject: str, request_id: str
    ) -> SessionId:
        """The session id: the same for the same caller, app, kind, subject and request id; new without a request id.

        ``subject`` is the user's id, or the hint of a guest.
        """
        parts = ("session", principal.account_id, api_key, kind.value, subject, request_id)
        return SessionId(self._unique(request_id, parts).bytes)

    def _unique(self, request_id: str, parts: tuple[str, ...]) -> uuid.UUID:
        if not request_id:
            return uuid.UUID(bytes=self._randomness(16), version=4)
        encoded = [part.encode() for part in parts]
        message = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
        _, key = self._keys.current()
        digest = hmac.digest(key, message, hashlib.sha256)
        return uuid.UUID(int=_version_8(digest[:16]))


def _version_8(raw: bytes) -> int:
    """Put the version in: Python 3.11's ``uuid`` makes versions 1 to 5 only."""
    number = int.from_bytes(raw, "big")
    number = number & ~(0xF << 76) | _DERIVED << 76
    return number & ~(0x3 << 62) | 0x2 << 62
