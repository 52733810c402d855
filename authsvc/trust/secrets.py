"""Service-wide secrets: made once, sealed in the store, the same in every process, replaced while it runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NoReturn

from authsvc.clock import Clock
from authsvc.model import Gone, SealedSecret
from authsvc.signing.sealing import Place, SealBroken, Sealer
from authsvc.storage.base import Store

REFRESH_KEY_PURPOSE = "refresh-mac-key"
GUEST_KEY_PURPOSE = "guest-key"
PURPOSES = (REFRESH_KEY_PURPOSE, GUEST_KEY_PURPOSE)

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, eq=False)
class _Secret:
    content: bytes = field(repr=False)
    usable_at: datetime
    sealed: SealedSecret = field(repr=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("service-wide secrets are not pickled")


class SecretRing:
    """The secrets of one purpose by number. Reading takes no lock. Does not print or pickle them.

    All of them read; one of them makes: the newest that every worker must know by now. A worker that has not read the
    feed for ``settle`` answers nothing, so a secret as old as that is known wherever anything is answered.
    """

    def __init__(self, purpose: str, *, clock: Clock, settle: timedelta) -> None:
        self._purpose = purpose
        self._clock = clock
        self._settle = settle
        self._secrets: Mapping[int, _Secret] = MappingProxyType({})

    def __repr__(self) -> str:
        return "SecretRing(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("service-wide secrets are not pickled")

    def find(self, number: int) -> bytes | None:
        """The secret with that number; None where there is none."""
        secret = self._secrets.get(number)
        return None if secret is None else secret.content

    def numbers(self) -> tuple[int, ...]:
        """Those that are known, lowest first."""
        return tuple(sorted(self._secrets))

    def current(self) -> tuple[int, bytes]:
        """The one that is used for what is made now, with its number; raises ``LookupError`` while there is none."""
        secrets = self._secrets
        if len(secrets) == 1:
            ((number, only),) = secrets.items()
            return number, only.content
        now = self._clock()
        usable = [number for number, secret in secrets.items() if secret.usable_at <= now]
        number = max(usable) if usable else min(secrets, default=-1)
        if number < 0:
            raise LookupError(f"the store has no {self._purpose}")
        return number, secrets[number].content

    def put(self, sealed: SealedSecret, content: bytes, *, usable_at: datetime) -> None:
        """Learn a secret, unless what is known of it is newer; its time to settle is that of the first sight."""
        known = self._secrets.get(sealed.number)
        if known is None or known.sealed.revision <= sealed.revision:
            first = usable_at if known is None else known.usable_at
            self._secrets = MappingProxyType({**self._secrets, sealed.number: _Secret(content, first, sealed)})

    def drop(self, number: int) -> None:
        """Forget a secret."""
        self._secrets = MappingProxyType({known: each for known, each in self._secrets.items() if known != number})

    def knows(self, number: int) -> SealedSecret | None:
        """What is known of the secret at rest."""
        secret = self._secrets.get(number)
        return None if secret is None else secret.sealed


class ServiceSecrets:
    """The rings of all purposes, and the way from what is sealed to them."""

    def __init__(self, sealer: Sealer, *, clock: Clock, settle: timedelta) -> None:
        self._sealer = sealer
        self._clock = clock
        self._settle = settle
        self._moving = threading.Lock()
        self._rings = {purpose: SecretRing(purpose, clock=clock, settle=settle) for purpose in PURPOSES}

    def ring(self, purpose: str) -> SecretRing:
        """The secrets with that purpose: one object for as long as the process lives."""
        return self._rings[purpose]

    def load(self, secrets: tuple[SealedSecret, ...]) -> None:
        """Know exactly these, which others may have known for as long as they are old.

        Raises ``SealBroken`` when one that is new here was sealed under another KEK, or for another place.
        """
        with self._moving:
            for secret in secrets:
                self._put(secret, since=secret.created_at)
            there = {(secret.purpose, secret.number) for secret in secrets}
            for purpose, ring in self._rings.items():
                for number in ring.numbers():
                    if (purpose, number) not in there:
                        ring.drop(number)

    def put(self, secret: SealedSecret) -> None:
        """Learn one that was just made or sealed anew; others may hear of it later than this. Raises ``SealBroken``."""
        with self._moving:
            self._put(secret, since=max(secret.created_at, self._clock()))

    def forget(self, gone: Gone) -> None:
        """Forget one, unless what is known of it is newer."""
        purpose, _, number = gone.subject.rpartition("/")
        ring = self._rings.get(purpose)
        if ring is None or not number.isdecimal():
            return
        with self._moving:
            known = ring.knows(int(number))
            if known is not None and known.revision < gone.revision:
                ring.drop(int(number))

    def make_missing(self, store: Store) -> None:
        """Make the first secret of each purpose that has none; of processes that start together, one succeeds."""
        for purpose, ring in self._rings.items():
            if not ring.numbers():
                content = self._sealer.randomness(_SECRET_BYTES)
                sealed = self._sealer.seal(content, secret_place(purpose, 1))
                self.put(store.add_secret(SealedSecret(purpose, 1, sealed, self._clock())))

    def _put(self, secret: SealedSecret, *, since: datetime) -> None:
        ring = self._rings.get(secret.purpose)
        if ring is not None:  # one of a purpose that a later version has
            ring.put(secret, self._open(ring, secret), usable_at=since + self._settle)

    def _open(self, ring: SecretRing, secret: SealedSecret) -> bytes:
        """The content; a known one that was sealed anew under another KEK is still what it was."""
        try:
            return self._sealer.open(secret.sealed, secret_place(secret.purpose, secret.number))
        except SealBroken:
            known = ring.find(secret.number)
            if known is None:
                raise
            return known


def secret_place(purpose: str, number: int) -> Place:
    """Where the sealed form of a service-wide secret belongs."""
    return Place(purpose, "", str(number))
