"""Service-wide secrets: kept once, never replaced."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from authsvc.storage.base import SealedSecret, Store
from tests.storage.crowd import all_at_once
from tests.storage.places import START, Place, SettableClock


class Secrets:
    """``secrets`` and ``add_secret``."""

    def test_secrets_come_back_in_order(self, store: Store) -> None:
        """Secrets of one purpose come lowest number first, unchanged; other purposes are apart."""
        numbers = [255, 0, 7]
        for number in numbers:
            store.add_secret(SealedSecret("mac", number, bytes([number]), START + timedelta(microseconds=number)))
        store.add_secret(SealedSecret("MAC", 1, b"other", START))
        assert store.secrets("mac") == tuple(
            SealedSecret("mac", number, bytes([number]), START + timedelta(microseconds=number))
            for number in sorted(numbers)
        )
        assert store.secrets("guest") == ()

    def test_a_secret_is_never_replaced(self, store: Store) -> None:
        """Adding a purpose and number that is there returns and keeps the one that is there."""
        first = SealedSecret("mac", 0, b"first", START)
        assert store.add_secret(first) == first
        assert store.add_secret(SealedSecret("mac", 0, b"second", START)) == first
        assert store.secrets("mac") == (first,)

    def test_two_that_start_together_end_with_one(self, store: Store, place: Place, clock: SettableClock) -> None:
        """Two stores that each bring a secret to the same empty data both get the one that is kept."""
        other = place.open(clock=clock)
        for number in range(10):
            mine, others = SealedSecret("mac", number, b"mine", START), SealedSecret("mac", number, b"others", START)
            outcomes = all_at_once([partial(store.add_secret, mine), partial(other.add_secret, others)])
            assert outcomes[0] == outcomes[1] == store.secrets("mac")[number] == other.secrets("mac")[number]
