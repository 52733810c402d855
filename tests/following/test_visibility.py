"""What the long proofs measure, a few times: a revocation seen elsewhere, in whatever order things were done."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from authsvc.v1 import auth_pb2
from tests.following import interleaving
from tests.following.half_load import Orders, half_loaded
from tests.following.interleaving import Minted, Played, Revoked
from tests.following.pair import Pair
from tests.following.visibility import TARGETS, disable_and_watch, revoke_and_watch

ENDED, LIVING = ("REVOKED", "REVOKED"), ("ACTIVE", "ACTIVE")
GOOD = Played(
    before=Minted(0.0, 1.0, 5, ENDED),
    during=Minted(2.0, 3.0, 6, ENDED),
    after=Minted(5.0, 6.0, 8, LIVING),
    revocations=(Revoked(2.0, 3.0, 7), Revoked(2.5, 4.0, 8)),
)


@pytest.mark.parametrize("kind", TARGETS)
def test_each_kind_of_revocation_is_seen(pair: Pair, kind: str) -> None:
    """Revoked at either server, each is known to the other by itself; what is measured is as many as were asked for."""
    seen = revoke_and_watch(pair.peers, kind, 16)
    assert (len(seen.seconds), seen.faults) == (16, [])
    assert (seen.numbers()["seen"], seen.numbers()["by each"]) == (16, [8, 8])


def test_each_target_is_a_kind() -> None:
    """Every way to name what is revoked is measured."""
    fields = auth_pb2.RevokeTokensRequest.DESCRIPTOR.oneofs_by_name["target"].fields
    issued = auth_pb2.IssueTokenResponse(token="token", refresh_token="refresh-token")
    named = [name for target in TARGETS.values() for name in target(issued)]
    assert sorted(named) == sorted(field.name for field in fields)


def test_disabled_accounts_are_refused(pair: Pair) -> None:
    """Disabled at either server, an account is refused by both."""
    seen = disable_and_watch(pair.peers, 3)
    assert (len(seen.seconds), seen.faults) == (3, [])


def test_no_token_minted_before_a_revocation_survives_it(pair: Pair) -> None:
    """Whatever the order in which two revocations and a mint come, on whichever server."""
    chance, peers = random.Random(7), (pair.peers[0], pair.peers[1])
    rounds = [interleaving.play(peers, chance) for _ in range(25)]
    assert [fault for played in rounds for fault in interleaving.faults_of(played)] == []


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (replace(GOOD, before=replace(GOOD.before, statuses=LIVING)), "survives it"),
        (replace(GOOD, before=replace(GOOD.before, statuses=("REVOKED", "ACTIVE"))), "REVOKED and ACTIVE"),
        (replace(GOOD, during=replace(GOOD.during, statuses=LIVING)), "at revision 6 is ACTIVE at 8"),
        (replace(GOOD, after=replace(GOOD.after, statuses=ENDED)), "after the revocations is dead"),
    ],
)
def test_a_token_that_survives_would_be_noticed(bad: Played, fault: str) -> None:
    """A good round has no faults; one in which a token lives that should not, or is dead that should live, has."""
    assert interleaving.faults_of(GOOD) == []
    assert fault in " ".join(interleaving.faults_of(bad))


def test_the_load_is_half_of_what_is_possible(pair: Pair) -> None:
    """The callers find their rate, keep it, and say how they fared."""
    orders = Orders([peer.process.target for peer in pair.peers], pair.peers[0].process.credential)
    with half_loaded(orders) as numbers:
        assert isinstance(numbers["calls a second"], int)
        assert revoke_and_watch(pair.peers, "user", 8).faults == []
    assert numbers["failures"] == {}
    assert numbers["calls a second"] > 0
