"""Service-wide secrets: made once, sealed in the store, the same in every process."""

from __future__ import annotations

from collections.abc import Mapping

from authsvc.clock import Clock
from authsvc.signing.sealing import Place, Sealer
from authsvc.storage.base import SealedSecret, Store

REFRESH_KEY_PURPOSE = "refresh-mac-key"
GUEST_KEY_PURPOSE = "guest-key"

_SECRET_BYTES = 32


def service_secrets(store: Store, sealer: Sealer, purpose: str, *, clock: Clock) -> Mapping[int, bytes]:
    """The secrets with that purpose by number, the first one made on an empty store.

    Two processes that start together end with one: the store keeps the first, and both read back what it kept.
    Raises ``SealBroken`` when the KEK is not the one the store was made with.
    """
    sealed = store.secrets(purpose) or (store.add_secret(_new(sealer, purpose, clock)),)
    return {secret.number: sealer.open(secret.sealed, _place(purpose, secret.number)) for secret in sealed}


def _new(sealer: Sealer, purpose: str, clock: Clock) -> SealedSecret:
    secret = sealer.randomness(_SECRET_BYTES)
    return SealedSecret(purpose, 1, sealer.seal(secret, _place(purpose, 1)), clock())


def _place(purpose: str, number: int) -> Place:
    return Place(purpose, "", str(number))
