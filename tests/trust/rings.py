"""Rings of service-wide secrets whose content a test knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from authsvc.clock import Clock
from authsvc.model import SealedSecret
from authsvc.trust.secrets import REFRESH_KEY_PURPOSE, SecretRing
from tests.conftest import HandClock

SETTLE = timedelta(seconds=5)


def a_ring(
    secrets: Mapping[int, bytes], *, clock: Clock | None = None, usable_at: datetime | None = None
) -> SecretRing:
    """A ring of these, usable from the start unless a moment is given."""
    clock = clock or HandClock()
    ring = SecretRing(REFRESH_KEY_PURPOSE, clock=clock, settle=SETTLE)
    for number, content in secrets.items():
        sealed = SealedSecret(REFRESH_KEY_PURPOSE, number, b"", clock())
        ring.put(sealed, content, usable_at=usable_at or clock())
    return ring
