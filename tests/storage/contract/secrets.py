"""Service-wide secrets: the first one is kept; they are sealed anew and forgotten by their number."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from authsvc.model import ApiKey, Commit, Gone, SealedSecret, Subject
from authsvc.storage.base import Store
from tests.storage.crowd import all_at_once
from tests.storage.places import START, Place, SettableClock
from tests.storage.records import an_audit

FIRST = SealedSecret("mac", 0, b"first", START)


class Secrets:
    """``secrets``, ``add_secret``, ``replace_secret`` and ``remove_secret``."""

    def test_secrets_come_back_in_order(self, store: Store) -> None:
        """Secrets of one purpose come lowest number first, as they were kept; other purposes are apart."""
        added = [
            store.add_secret(SealedSecret("mac", number, bytes([number]), START + timedelta(microseconds=number)))
            for number in (255, 0, 7)
        ]
        other = store.add_secret(SealedSecret("MAC", 1, b"other", START))
        expected = tuple(
            SealedSecret("mac", number, bytes([number]), START + timedelta(microseconds=number), added[place].revision)
            for place, number in [(1, 0), (2, 7), (0, 255)]
        )
        assert store.secrets("mac") == expected
        assert store.secrets("guest") == ()
        assert store.trust_state().secrets == (other, *expected)

    def test_each_change_has_a_revision(self, store: Store) -> None:
        """Adding, replacing and removing each spend one revision and are told to the listener."""
        heard: list[Commit] = []
        store.listen(heard.append)
        added = store.add_secret(FIRST)
        assert store.replace_secret(replace(FIRST, sealed=b"second"), b"first") is True
        (replaced,) = store.secrets("mac")
        assert store.remove_secret("mac", 0) is True
        revision = added.revision
        assert replaced == SealedSecret("mac", 0, b"second", START, revision + 1)  # type: ignore[arg-type]
        gone = Gone(Subject.SECRET, ApiKey(""), "mac/0", revision + 2)  # type: ignore[arg-type]
        assert [(commit.revision, commit.changes) for commit in heard] == [
            (revision, (added,)),
            (revision + 1, (replaced,)),
            (revision + 2, (gone,)),
        ]

    def test_a_secret_is_never_added_twice(self, store: Store) -> None:
        """Adding a purpose and number that is there returns and keeps the one that is there, without a trace."""
        first = store.add_secret(FIRST, an_audit())
        before = store.trust_state(), store.counts()
        assert first == replace(FIRST, revision=first.revision)
        assert store.add_secret(replace(FIRST, sealed=b"second"), an_audit()) == first
        assert (store.trust_state(), store.counts()) == before

    def test_only_what_was_read_is_replaced(self, store: Store) -> None:
        """A secret whose stored text is another one, or that is not there, is not replaced, and nothing changes."""
        store.add_secret(FIRST)
        before = store.trust_state(), store.counts()
        assert store.replace_secret(replace(FIRST, sealed=b"new"), b"guess", an_audit()) is False
        assert store.replace_secret(replace(FIRST, number=1, sealed=b"new"), b"first", an_audit()) is False
        assert (store.trust_state(), store.counts()) == before

    def test_replacing_keeps_when_it_was_made(self, store: Store) -> None:
        """``created_at`` is that of the first sealing, whatever the new record says."""
        store.add_secret(FIRST)
        store.replace_secret(replace(FIRST, sealed=b"new", created_at=START + timedelta(days=1)), b"first")
        assert [(secret.sealed, secret.created_at) for secret in store.secrets("mac")] == [(b"new", START)]

    def test_one_of_many_replaces(self, store: Store) -> None:
        """Of many that replace one text at the same time exactly one does."""
        store.add_secret(FIRST)
        calls = [partial(store.replace_secret, replace(FIRST, sealed=bytes([i])), b"first") for i in range(16)]
        assert sorted(map(str, all_at_once(calls))) == ["False"] * 15 + ["True"]

    def test_what_is_not_there_is_not_removed(self, store: Store) -> None:
        """Removing an unknown number or purpose changes nothing; a removed one can be added again."""
        store.add_secret(FIRST)
        before = store.trust_state(), store.counts()
        assert store.remove_secret("mac", 1, an_audit()) is False
        assert store.remove_secret("Mac", 0, an_audit()) is False
        assert (store.trust_state(), store.counts()) == before
        assert store.remove_secret("mac", 0)
        assert store.secrets("mac") == ()
        assert store.add_secret(replace(FIRST, sealed=b"again")).sealed == b"again"

    @pytest.mark.parametrize("audited", [False, True])
    def test_an_audit_row_where_one_is_given(self, store: Store, audited: bool) -> None:
        """A change of a secret leaves an audit row only where the caller brings one."""
        before, audit = store.counts(), an_audit() if audited else None
        store.add_secret(FIRST, audit)
        store.replace_secret(replace(FIRST, sealed=b"new"), b"first", audit)
        store.remove_secret("mac", 0, audit)
        after = store.counts()
        assert after["audit"] - before["audit"] == 3 * audited
        assert after["feed"] - before["feed"] == 3

    def test_two_that_start_together_end_with_one(self, store: Store, place: Place, clock: SettableClock) -> None:
        """Two stores that each bring a secret to the same empty data both get the one that is kept."""
        other = place.open(clock=clock)
        for number in range(10):
            mine, others = SealedSecret("mac", number, b"mine", START), SealedSecret("mac", number, b"others", START)
            outcomes = all_at_once([partial(store.add_secret, mine), partial(other.add_secret, others)])
            assert outcomes[0] == outcomes[1] == store.secrets("mac")[number] == other.secrets("mac")[number]
