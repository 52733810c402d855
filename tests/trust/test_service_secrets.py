"""Service-wide secrets: made once, the same for every process that has the KEK, never bare in the store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from authsvc.clock import system_randomness
from authsvc.signing.sealing import Kek, Place, SealBroken, Sealer
from authsvc.storage import open_store
from authsvc.storage.base import SealedSecret, Store
from authsvc.trust.secrets import GUEST_KEY_PURPOSE, REFRESH_KEY_PURPOSE, service_secrets
from tests.conftest import HandClock

SEALER = Sealer(Kek(bytes(range(32))), system_randomness)


@pytest.fixture
def stores(state_dir: Path, clock: HandClock) -> Iterator[list[Store]]:
    """One store, opened four times."""
    opened = [open_store(f"sqlite:///{state_dir / 'a.db'}", clock=clock, exclusive=False) for _ in range(4)]
    yield opened
    for store in opened:
        store.close()


def secrets(store: Store, purpose: str = REFRESH_KEY_PURPOSE, sealer: Sealer = SEALER) -> dict[int, bytes]:
    return dict(service_secrets(store, sealer, purpose, clock=HandClock()))


def test_the_first_is_made_and_stays(stores: list[Store]) -> None:
    """On an empty store a secret of 32 random bytes is made, and every later start reads that one."""
    first = secrets(stores[0])
    assert list(first) == [1]
    assert len(first[1]) == 32
    assert [secrets(store) for store in stores] == [first] * 4


def test_each_purpose_has_its_own(stores: list[Store]) -> None:
    """The refresh key is not the guest key."""
    assert secrets(stores[0]) != secrets(stores[0], GUEST_KEY_PURPOSE)
    assert secrets(stores[0], GUEST_KEY_PURPOSE) == secrets(stores[1], GUEST_KEY_PURPOSE)


def test_processes_that_start_together_end_with_one(stores: list[Store]) -> None:
    """Four that find an empty store at the same time end with the same secret."""
    start, found = threading.Barrier(4), []

    def begin(store: Store) -> None:
        start.wait(20)
        found.append(secrets(store))

    threads = [threading.Thread(target=begin, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 4
    assert all(one == found[0] for one in found)


def test_two_are_valid_at_once(stores: list[Store]) -> None:
    """A second secret stands beside the first, each under its number."""
    first = secrets(stores[0])
    sealed = SEALER.seal(b"s" * 32, Place(REFRESH_KEY_PURPOSE, "", "2"))
    stores[0].add_secret(SealedSecret(REFRESH_KEY_PURPOSE, 2, sealed, HandClock()()))
    assert secrets(stores[1]) == {**first, 2: b"s" * 32}


def test_one_that_was_moved_does_not_open(stores: list[Store]) -> None:
    """A sealed secret put under another number, or for another purpose, stops the start."""
    secrets(stores[0])
    [kept] = stores[0].secrets(REFRESH_KEY_PURPOSE)
    stores[0].add_secret(SealedSecret(REFRESH_KEY_PURPOSE, 2, kept.sealed, kept.created_at))
    stores[0].add_secret(SealedSecret(GUEST_KEY_PURPOSE, 1, kept.sealed, kept.created_at))
    for purpose in (REFRESH_KEY_PURPOSE, GUEST_KEY_PURPOSE):
        with pytest.raises(SealBroken):
            secrets(stores[0], purpose)


def test_under_another_kek_nothing_starts(stores: list[Store]) -> None:
    """With another KEK the secret is not replaced by a new one: the start fails, and with the right one succeeds."""
    first = secrets(stores[0])
    with pytest.raises(SealBroken, match="another KEK"):
        secrets(stores[1], sealer=Sealer(Kek(bytes(32)), system_randomness))
    assert secrets(stores[2]) == first


def test_the_store_never_has_it_bare(stores: list[Store], state_dir: Path) -> None:
    """No file of the store holds any part of a secret, nor of the KEK; the search finds what is there."""
    secret = secrets(stores[0])[1]
    [kept] = stores[0].secrets(REFRESH_KEY_PURPOSE)
    content = b"".join(path.read_bytes() for path in state_dir.iterdir() if path.is_file())
    assert kept.sealed in content
    for hidden in (secret, bytes(range(32))):
        assert not [at for at in range(25) if hidden[at : at + 8] in content]
