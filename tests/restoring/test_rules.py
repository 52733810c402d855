"""The numbers that a restored store begins with, for whatever copies are put back in whatever order."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.storage.errors import StoreUnfit
from authsvc.storage.rows.restoring import LAST_EPOCH, LEAP, Known, next_epoch, next_revision

BEGIN = 1_795_000_000_000_000
NEW = Known(1, 0)


@dataclass(frozen=True)
class History:
    """A store, its copies, the present, and the largest revision that was ever given out."""

    now: int = BEGIN
    store: Known = NEW
    copies: tuple[Known, ...] = (NEW,)
    largest: int = 0

    def change(self, microseconds: int, changes: int) -> History:
        """Time passes, and no more changes than microseconds are made."""
        store = replace(self.store, revision=self.store.revision + min(changes, microseconds))
        return replace(self, now=self.now + microseconds, store=store, largest=max(self.largest, store.revision))

    def copy(self) -> History:
        return replace(self, copies=(*self.copies, self.store))

    def restore(self, which: int) -> History:
        """Put one of the copies back, knowing of nothing else."""
        copy = self.copies[which % len(self.copies)]
        revision = next_revision(copy, self.now)
        assert revision > self.largest
        return replace(self, now=self.now + 1, store=Known(next_epoch(copy), revision), largest=revision)


ACTS = st.one_of(
    st.tuples(st.just("change"), st.integers(1, 10**12), st.integers(0, 10**12)),
    st.tuples(st.just("copy")),
    st.tuples(st.just("restore"), st.integers(0, 10)),
)


@given(st.lists(ACTS, max_size=30))
def test_no_revision_comes_again(acts: list[tuple[str, *tuple[int, ...]]]) -> None:
    """Whichever copy becomes the store, it begins past every revision that any of them ever gave out."""
    history = History()
    for name, *numbers in acts:
        history = getattr(history, name)(*numbers)


def test_a_clock_that_was_wrong() -> None:
    """Where what is known is ahead of the clock, the revision leaps past it."""
    assert next_revision(Known(1, BEGIN), BEGIN) == BEGIN + LEAP
    assert next_revision(Known(1, BEGIN - 1), BEGIN) == BEGIN
    assert next_revision(Known(1, 0), 0) == LEAP


def test_all_that_is_known_counts() -> None:
    """Of several that know, the largest of each."""
    assert Known(3, 5).and_also(Known(2, 9)) == Known(3, 9)


def test_epochs_end() -> None:
    """The last epoch has no next: two bytes of each refresh token say which it is."""
    assert next_epoch(Known(LAST_EPOCH - 1, 0)) == LAST_EPOCH == 2**16 - 1
    with pytest.raises(StoreUnfit, match="no further epoch"):
        next_epoch(Known(LAST_EPOCH, 0))


def test_every_number_fits() -> None:
    """After each of all restores there is room for a revision in 63 bits, the clocks being wrong each time."""
    assert BEGIN + LAST_EPOCH * LEAP < 2**63
