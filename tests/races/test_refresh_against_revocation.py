"""Refreshing against revoking: whoever revoked a session can rely on it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from authsvc.model import AuditEvent, SessionId
from tests.conftest import RunningServer
from tests.races.revoking import Attempt, Round, faults_of, race
from tests.races.stores import AcknowledgesTooEarly, served_with
from tests.races.wire import ROTATED, Refreshed, Wire, connected
from tests.rows import Rows

ROUNDS = 20


def _thief(wire: Wire) -> Callable[[str], None]:
    """Revokes by presenting a refresh token that was spent long ago."""

    def revoke(first: str) -> None:
        assert wire.refresh(first).outcome == "REFRESH_TOKEN_REUSED"

    return revoke


def _operator(server: RunningServer) -> Callable[[str], None]:
    """Revokes in the store, as every kind of revocation of a session does."""
    live = "SELECT id FROM sessions WHERE revoked_at IS NULL"
    event = AuditEvent(server.clock(), "session.revoked", "operator", "dev", "", "revoked")

    def revoke(_: str) -> None:
        ((session_id,),) = Rows(server.state_dir).read(live)
        assert server.domain.store.revoke_session(SessionId(session_id), "LOGOUT", event)

    return revoke


@pytest.mark.parametrize("revoker", ["thief", "operator"])
def test_nothing_succeeds_after_the_acknowledgement(server: RunningServer, wire: Wire, revoker: str) -> None:
    """A refresh begun after the acknowledgement is refused, and every access token of the session is dead."""
    revoke = _thief(wire) if revoker == "thief" else _operator(server)
    moments = random.Random(revoker)
    for _ in range(ROUNDS):
        played = race(wire, revoke, after=moments.randrange(4))
        assert faults_of(played, wire.status) == []


def test_an_early_acknowledgement_is_noticed(server: RunningServer) -> None:
    """Control: a store that acknowledges a revocation before it is made is caught by the same race."""
    with served_with(server, AcknowledgesTooEarly) as target, connected(target, server.credential) as wire:
        faults = faults_of(race(wire, _thief(wire), after=0), wire.status)
    assert any("succeeded after the acknowledgement" in fault for fault in faults), faults
    assert any("access tokens of the session are good still" in fault for fault in faults), faults


DEAD, LATE = Attempt(2, Refreshed("SESSION_REVOKED")), Attempt(2, Refreshed(ROTATED, "child", "access"))
EARLY = Attempt(0, Refreshed(ROTATED, "child", "access"))


@pytest.mark.parametrize(
    ("played", "status", "faults"),
    [
        (Round([EARLY, DEAD], 1), "SESSION_REVOKED", []),
        (Round([EARLY, DEAD], None), "SESSION_REVOKED", ["the revocation was not acknowledged"]),
        (Round([EARLY], 1), "SESSION_REVOKED", ["nothing was tried after the acknowledgement"]),
        (
            Round([EARLY, LATE, DEAD], 1),
            "SESSION_REVOKED",
            ["1 of 2 refreshes succeeded after the acknowledgement"],
        ),
        (Round([EARLY, DEAD], 1), "ACTIVE", ["1 access tokens of the session are good still"]),
        (
            Round([DEAD, Attempt(2, Refreshed("REFRESH_TOKEN_INVALID"))], 1),
            "SESSION_REVOKED",
            ["refused: ['REFRESH_TOKEN_INVALID']"],
        ),
    ],
)
def test_each_fault_has_its_words(played: Round, status: str, faults: list[str]) -> None:
    """The checker names what is wrong with a round, and nothing about a good one."""
    assert faults_of(played, lambda _: status) == faults
