"""An app's keys at one moment: which one signs, which ones verify."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from authsvc.errors import KeyNotReady
from authsvc.model import KeyId, KeyRecord, KeyState, TokenStatus
from authsvc.signing.algorithms import FAMILIES
from authsvc.signing.keys import SigningKey, VerificationKey, signing_key, verification_key
from authsvc.signing.rejected import Rejected

_ACTIVE, _REVOKED = KeyState.ACTIVE, KeyState.REVOKED


@dataclass(frozen=True, slots=True)
class RingKey:
    """A key with its state. ``signing`` is None where only the public half is known.

    ``weak``: an imported secret shorter than its hash (RFC 7518, 3.2 asks for more). ``record``: the key as the store
    keeps it, where this is a worker of that store.
    """

    verification: VerificationKey
    state: KeyState
    public_jwk: str
    retired_at: datetime | None = None
    signing: SigningKey | None = None
    imported: bool = False
    weak: bool = False
    record: KeyRecord | None = None

    @property
    def key_id(self) -> KeyId:
        """The ``kid``."""
        return self.verification.key_id

    def moved_to(self, record: KeyRecord) -> RingKey:
        """This key in the state of a newer record of it: a kid names one secret for ever, so nothing is opened."""
        return replace(self, state=record.state, retired_at=record.retired_at, record=record)

    def verifies(self, *, now: datetime, retired_for: timedelta | None) -> bool:
        """Whether tokens may be verified by it: not revoked, and if retired, for ``retired_for`` (None: for ever)."""
        if self.state is _REVOKED:
            return False
        return self.retired_at is None or retired_for is None or now < self.retired_at + retired_for


def ring_key(record: KeyRecord, secret: bytes) -> RingKey:
    """The key of a record, given its opened secret part; raises ``ValueError`` when the two do not fit."""
    signing = signing_key(record.key_id, record.algorithm, secret)
    return RingKey(
        verification=verification_key(signing),
        state=record.state,
        public_jwk=record.public_jwk,
        retired_at=record.retired_at,
        signing=signing,
        imported=record.imported,
        weak=len(secret) < FAMILIES[record.algorithm].secret_bytes,
        record=record,
    )


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys of an app; a change makes a new ring."""

    keys: Mapping[KeyId, RingKey] = field(default_factory=lambda: MappingProxyType({}))

    def with_key(self, key: RingKey) -> KeyRing:
        """The ring with that key added, or replaced where its kid is known."""
        return self.with_keys((key,))

    def with_keys(self, keys: Iterable[RingKey], *, gone: Iterable[KeyId] = ()) -> KeyRing:
        """The ring after a change of several keys at once: at no moment is none of them active, or two."""
        after = {**self.keys, **{key.key_id: key for key in keys}}
        for key_id in gone:
            after.pop(key_id, None)
        return KeyRing(MappingProxyType(after))

    def signing_key(self) -> SigningKey:
        """The one active key; raises ``KeyNotReady`` when there is none."""
        for key in self.keys.values():
            if key.state is _ACTIVE and key.signing is not None:
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
        if key.state is _REVOKED:
            raise Rejected(TokenStatus.KEY_REVOKED)
        if key.retired_at is None:
            return key.verification
        if not key.verifies(now=now, retired_for=retired_for):
            raise Rejected(TokenStatus.KEY_UNKNOWN, "retired and over")
        return key.verification
