"""Service-wide secrets: made once, the same for every process that has the KEK, replaced while they run, never bare."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from authsvc.clock import system_randomness
from authsvc.model import Gone, Revision, SealedSecret, Subject
from authsvc.signing.sealing import Kek, SealBroken, Sealer
from authsvc.storage import open_store
from authsvc.storage.base import Store
from authsvc.trust.secrets import GUEST_KEY_PURPOSE, PURPOSES, REFRESH_KEY_PURPOSE, ServiceSecrets, secret_place
from tests.conftest import HandClock
from tests.trust.rings import SETTLE, a_ring
from tests.trust.workers import Worker

SEALER = Sealer(Kek(bytes(range(32))), system_randomness)
SECOND = timedelta(seconds=1)


@pytest.fixture
def stores(state_dir: Path, clock: HandClock) -> Iterator[list[Store]]:
    """One store, opened four times."""
    opened = [open_store(f"sqlite:///{state_dir / 'a.db'}", clock=clock, exclusive=False) for _ in range(4)]
    yield opened
    for store in opened:
        store.close()


def started(store: Store, sealer: Sealer = SEALER, *, clock: HandClock | None = None) -> ServiceSecrets:
    """The secrets as a worker has them after its start."""
    secrets = ServiceSecrets(sealer, clock=clock or HandClock(), settle=SETTLE)
    secrets.load(store.trust_state().secrets)
    secrets.make_missing(store)
    return secrets


def content(secrets: ServiceSecrets, purpose: str = REFRESH_KEY_PURPOSE) -> dict[int, bytes | None]:
    ring = secrets.ring(purpose)
    return {number: ring.find(number) for number in ring.numbers()}


def sealed(number: int, secret: bytes, clock: HandClock, purpose: str = REFRESH_KEY_PURPOSE) -> SealedSecret:
    """A secret made now."""
    return SealedSecret(purpose, number, SEALER.seal(secret, secret_place(purpose, number)), clock(), Revision(number))


def gone(number: int, revision: int, purpose: str = REFRESH_KEY_PURPOSE) -> Gone:
    return Gone(Subject.SECRET, "", f"{purpose}/{number}", Revision(revision))  # type: ignore[arg-type]


def test_the_first_is_made_and_stays(stores: list[Store]) -> None:
    """On an empty store a secret of 32 random bytes is made, and every later start reads that one."""
    first = content(started(stores[0]))
    assert list(first) == [1]
    assert len(first[1] or b"") == 32
    assert [content(started(store)) for store in stores] == [first] * 4


def test_each_purpose_has_its_own(stores: list[Store]) -> None:
    """The refresh key is not the guest key."""
    one, again = started(stores[0]), started(stores[1])
    assert content(one) != content(one, GUEST_KEY_PURPOSE)
    assert content(one, GUEST_KEY_PURPOSE) == content(again, GUEST_KEY_PURPOSE)


def test_processes_that_start_together_end_with_one(stores: list[Store]) -> None:
    """Four that find an empty store at the same time end with the same secrets."""
    start, found = threading.Barrier(4), []

    def begin(store: Store) -> None:
        start.wait(20)
        secrets = started(store)
        found.append([content(secrets, purpose) for purpose in PURPOSES])

    threads = [threading.Thread(target=begin, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [found[0]] * 4


def test_one_that_was_moved_does_not_open(stores: list[Store]) -> None:
    """A sealed secret put under another number, or for another purpose, stops the start."""
    started(stores[0])
    [kept] = stores[0].secrets(REFRESH_KEY_PURPOSE)
    stores[0].add_secret(SealedSecret(REFRESH_KEY_PURPOSE, 2, kept.sealed, kept.created_at))
    with pytest.raises(SealBroken):
        started(stores[0])
    stores[0].remove_secret(REFRESH_KEY_PURPOSE, 2)
    stores[0].add_secret(SealedSecret(GUEST_KEY_PURPOSE, 2, kept.sealed, kept.created_at))
    with pytest.raises(SealBroken):
        started(stores[0])


def test_under_another_kek_nothing_starts(stores: list[Store]) -> None:
    """With another KEK the secret is not replaced by a new one: the start fails, and with the right one succeeds."""
    first = content(started(stores[0]))
    with pytest.raises(SealBroken, match="another KEK"):
        started(stores[1], Sealer(Kek(bytes(32)), system_randomness))
    assert content(started(stores[2])) == first


def test_the_store_never_has_it_bare(stores: list[Store], state_dir: Path) -> None:
    """No file of the store holds any part of a secret, nor of the KEK; the search finds what is there."""
    secret = content(started(stores[0]))[1]
    assert secret is not None
    [kept] = stores[0].secrets(REFRESH_KEY_PURPOSE)
    files = b"".join(path.read_bytes() for path in state_dir.iterdir() if path.is_file())
    assert kept.sealed in files
    for hidden in (secret, bytes(range(32))):
        assert not [at for at in range(25) if hidden[at : at + 8] in files]


class TestANewOne:
    """A second secret: known at once, used when every worker must know it."""

    def test_it_is_published_first_and_used_later(self, clock: HandClock) -> None:
        """Until every worker that still answers has read of it, the old one makes; both read from the start."""
        secrets = ServiceSecrets(SEALER, clock=clock, settle=SETTLE)
        secrets.load((sealed(1, b"old", clock),))
        ring = secrets.ring(REFRESH_KEY_PURPOSE)
        secrets.put(sealed(2, b"new", clock))
        assert (ring.find(1), ring.find(2), ring.current()) == (b"old", b"new", (1, b"old"))
        clock.move(seconds=SETTLE.total_seconds() - 0.001)
        assert ring.current() == (1, b"old")
        clock.move(seconds=0.001)
        assert ring.current() == (2, b"new")

    def test_a_maker_whose_clock_is_slow_changes_nothing_about_that(self, clock: HandClock) -> None:
        """Who hears of a secret by the feed counts from then on, whatever moment it says it was made at."""
        secrets = ServiceSecrets(SEALER, clock=clock, settle=SETTLE)
        secrets.load((sealed(1, b"old", clock),))
        long_ago = HandClock(clock() - timedelta(hours=1))
        secrets.put(sealed(2, b"new", long_ago))
        assert secrets.ring(REFRESH_KEY_PURPOSE).current() == (1, b"old")

    def test_a_later_start_goes_by_its_age(self, clock: HandClock) -> None:
        """A worker that starts uses the newest that is old enough, so that all derive the same ids."""
        pair = (sealed(1, b"old", clock), sealed(2, b"new", clock))
        for age, used in ((SETTLE - SECOND, 1), (SETTLE, 2)):
            later = HandClock(clock() + age)
            secrets = ServiceSecrets(SEALER, clock=later, settle=SETTLE)
            secrets.load(pair)
            assert secrets.ring(REFRESH_KEY_PURPOSE).current()[0] == used

    def test_the_first_one_is_used_at_once(self, clock: HandClock) -> None:
        """Where there is no older one nobody waits."""
        ring = a_ring({1: b"only"}, clock=clock, usable_at=clock() + timedelta(days=1))
        assert ring.current() == (1, b"only")

    def test_of_several_that_are_too_new_the_oldest_is_used(self, clock: HandClock) -> None:
        """Two that were made together on an empty store: all workers use the same."""
        ring = a_ring({2: b"b", 1: b"a"}, clock=clock, usable_at=clock() + timedelta(days=1))
        assert ring.current() == (1, b"a")

    def test_without_any_nothing_is_made(self) -> None:
        """A ring with no secret makes nothing, and says which is missing."""
        with pytest.raises(LookupError, match="refresh-mac-key"):
            a_ring({}).current()


class TestByTheFeed:
    """What other workers do to secrets arrives where they are used."""

    def test_sealed_anew_it_is_the_same_and_as_old(self, clock: HandClock) -> None:
        """A secret that was sealed under another KEK is what it was, and is not taken for a new one."""
        secrets = ServiceSecrets(SEALER, clock=clock, settle=SETTLE)
        secrets.load((sealed(1, b"old", clock), sealed(2, b"new", clock)))
        clock.move(seconds=10)
        foreign = Sealer(Kek(bytes(32)), system_randomness).seal(b"new", secret_place(REFRESH_KEY_PURPOSE, 2))
        secrets.put(SealedSecret(REFRESH_KEY_PURPOSE, 2, foreign, clock(), Revision(8)))
        assert secrets.ring(REFRESH_KEY_PURPOSE).current() == (2, b"new")

    def test_an_unknown_one_that_does_not_open_is_refused(self, clock: HandClock) -> None:
        """Sealed under another KEK, a number that nobody here knows is no secret."""
        secrets = ServiceSecrets(SEALER, clock=clock, settle=SETTLE)
        foreign = Sealer(Kek(bytes(32)), system_randomness).seal(b"new", secret_place(REFRESH_KEY_PURPOSE, 2))
        with pytest.raises(SealBroken):
            secrets.put(SealedSecret(REFRESH_KEY_PURPOSE, 2, foreign, clock(), Revision(8)))
        assert secrets.ring(REFRESH_KEY_PURPOSE).numbers() == ()

    @pytest.mark.parametrize(("revision", "there"), [(1, True), (3, False)])
    def test_one_that_is_gone(self, clock: HandClock, revision: int, there: bool) -> None:
        """It is forgotten, unless the news is older than the secret; other purposes keep theirs."""
        secrets = ServiceSecrets(SEALER, clock=clock, settle=SETTLE)
        secrets.load((sealed(2, b"r", clock), sealed(2, b"g", clock, GUEST_KEY_PURPOSE)))
        secrets.forget(gone(2, revision))
        assert (secrets.ring(REFRESH_KEY_PURPOSE).find(2) is not None) is there
        assert secrets.ring(GUEST_KEY_PURPOSE).find(2) == b"g"

    def test_older_news_changes_nothing(self, clock: HandClock) -> None:
        """Of two states of a secret the newer is kept."""
        secrets = ServiceSecrets(SEALER, clock=clock, settle=SETTLE)
        secrets.put(SealedSecret(REFRESH_KEY_PURPOSE, 1, _seal(b"b"), clock(), Revision(5)))
        secrets.put(SealedSecret(REFRESH_KEY_PURPOSE, 1, _seal(b"a"), clock(), Revision(4)))
        assert secrets.ring(REFRESH_KEY_PURPOSE).find(1) == b"b"

    def test_what_is_not_there_any_more_is_forgotten_on_a_reload(self, clock: HandClock) -> None:
        """A worker that reads everything knows exactly what there is."""
        secrets = ServiceSecrets(SEALER, clock=clock, settle=SETTLE)
        secrets.load((sealed(1, b"old", clock), sealed(2, b"new", clock)))
        secrets.load((sealed(2, b"new", clock),))
        assert content(secrets) == {2: b"new"}

    def test_purposes_of_later_versions_are_left_alone(self, clock: HandClock) -> None:
        """What nobody here uses is not opened, and does no harm."""
        secrets = ServiceSecrets(SEALER, clock=clock, settle=SETTLE)
        secrets.load((SealedSecret("of tomorrow", 1, b"?", clock()),))
        secrets.put(SealedSecret("of tomorrow", 2, b"?", clock()))
        secrets.forget(gone(1, 9, "of tomorrow"))
        assert [secrets.ring(purpose).numbers() for purpose in PURPOSES] == [(), ()]

    def test_another_worker_learns_it(self, worker: Worker, other: Worker, clock: HandClock) -> None:
        """One worker makes a secret; the other reads with it after its next look, and makes with it in its time."""
        for one in (worker, other):
            one.domain.secrets.make_missing(one.domain.store)
            one.look()
        ring = worker.domain.secrets.ring(REFRESH_KEY_PURPOSE)
        other.domain.store.add_secret(
            SealedSecret(REFRESH_KEY_PURPOSE, 2, _seal(b"new", 2, other.domain.sealer), clock())
        )
        assert ring.numbers() == (1,)
        worker.look()
        assert (ring.find(2), ring.current()[0]) == (b"new", 1)
        clock.move(seconds=5)
        assert ring.current() == (2, b"new")
        other.domain.store.remove_secret(REFRESH_KEY_PURPOSE, 1)
        worker.look()
        assert ring.numbers() == (2,)


def test_secrets_do_not_show() -> None:
    """Neither printing nor pickling shows a secret, of the ring or of its parts."""
    ring = a_ring({1: b"canary"})
    assert "canary" not in repr(ring) + str(ring) + repr(ring._secrets)
    for part in (ring, *ring._secrets.values()):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(part)


def _seal(secret: bytes, number: int = 1, sealer: Sealer = SEALER) -> bytes:
    return sealer.seal(secret, secret_place(REFRESH_KEY_PURPOSE, number))
