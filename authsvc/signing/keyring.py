"""An app's keys at one moment: which one signs, which ones verify."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from authsvc.errors import KeyNotReady
from authsvc.model import KeyId, KeyState, TokenStatus
from authsvc.signing.keys import SigningKey, VerificationKey
from authsvc.signing.rejected import Rejected


@dataclass(frozen=True, slots=True)
class RingKey:
    """A key with its state. ``signing`` is None where only the public half is known.

    ``weak``: an imported secret shorter than its hash (RFC 7518, 3.2 asks for more).
    """

    verification: VerificationKey
    state: KeyState
    public_jwk: str
    retired_at: datetime | None = None
    signing: SigningKey | None = None
    imported: bool = False
    weak: bool = False

    @property
    def key_id(self) -> KeyId:
        """The ``kid``."""
        return self.verification.key_id


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys of an app; a change makes a new ring."""

    keys: Mapping[KeyId, RingKey] = field(default_factory=lambda: MappingProxyType({}))

    def with_key(self, key: RingKey) -> KeyRing:
        """The ring with that key added, or replaced where its kid is known."""
        return KeyRing(MappingProxyType({**self.keys, key.key_id: key}))

    def signing_key(self) -> SigningKey:
        """The one active key; raises ``KeyNotReady`` when there is none."""
        for key in self.keys.values():
            if key.state is KeyState.ACTIVE and key.signing is not None:
                return key.signing
        raise KeyNotReady

    def imported_key_id(self) -> KeyId | None:
        """The kid of the key that others mint with too; None where there is none."""
        return next((key.key_id for key in self.keys.values() if key.imported), None)

    def verification_key(self, key_id: str, *, now: datetime, retired_for: timedelta | None) -> VerificationKey:
        """The key that tokens with this kid are verified by.

        A retired key verifies for ``retired_for`` after its retirement (None: for ever), so that a clock that goes
        forwards never ends a key whose tokens live. Raises ``Rejected``: KEY_UNKNOWN, or KEY_REVOKED.
        """
        key = self.keys.get(KeyId(key_id))
        if key is None:
            raise Rejected(TokenStatus.KEY_UNKNOWN)
        if key.state is KeyState.REVOKED:
            raise Rejected(TokenStatus.KEY_REVOKED)
        if key.retired_at is not None and retired_for is not None and now >= key.retired_at + retired_for:
            raise Rejected(TokenStatus.KEY_UNKNOWN, "retired and over")
        return key.verification
