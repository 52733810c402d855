"""Refreshing against revoking: whoever revoked a session can rely on it."""

from __future__ import annotations

import random

import pytest

from authsvc.v1.auth_pb2 import IssueTokenResponse
from tests.conftest import RunningServer
from tests.races.revoking import (
    SESSION_TARGETS,
    TOKEN_TARGETS,
    Attempt,
    Revoke,
    Round,
    faults_of,
    faults_of_a_token,
    race,
    race_with_a_token,
)
from tests.races.stores import AcknowledgesTooEarly, served_with
from tests.races.wire import ROTATED, Refreshed, Wire, connected

ROUNDS = 20


def _thief(wire: Wire) -> Revoke:
    """Revokes by presenting a refresh token that was spent long ago."""

    def revoke(issued: IssueTokenResponse) -> None:
        assert wire.refresh(issued.refresh_token).outcome == "REFRESH_TOKEN_REUSED"

    return revoke


REVOKERS = {"thief": _thief, **SESSION_TARGETS}


@pytest.mark.parametrize("revoker", REVOKERS)
def test_nothing_succeeds_after_the_acknowledgement(wire: Wire, revoker: str) -> None:
    """A refresh begun after the acknowledgement is refused, and every access token of the session is dead."""
    moments = random.Random(revoker)
    for _ in range(ROUNDS):
        played = race(wire, REVOKERS[revoker](wire), after=moments.randrange(4))
        assert faults_of(played, wire.status) == []


@pytest.mark.parametrize("target", TOKEN_TARGETS)
def test_a_token_is_dead_after_the_acknowledgement(wire: Wire, target: str) -> None:
    """A validation begun after the acknowledgement says so."""
    moments = random.Random(target)
    for _ in range(ROUNDS):
        assert race_with_a_token(wire, TOKEN_TARGETS[target](wire), after=moments.randrange(4)) == []


def test_an_early_acknowledgement_is_noticed(server: RunningServer) -> None:
    """Control: a store that acknowledges a revocation before it is made is caught by the same race."""
    with served_with(server, AcknowledgesTooEarly) as target, connected(target, server.credential) as wire:
        faults = faults_of(race(wire, _thief(wire), after=0), wire.status)
    assert any("succeeded after the acknowledgement" in fault for fault in faults), faults
    assert any("access tokens of the session are good still" in fault for fault in faults), faults


@pytest.mark.parametrize("target", ["session_id", "refresh_token"])
def test_an_early_acknowledgement_of_a_session_is_noticed(server: RunningServer, target: str) -> None:
    """Control: the same store under RevokeTokens."""
    with served_with(server, AcknowledgesTooEarly) as where, connected(where, server.credential) as wire:
        faults = faults_of(race(wire, SESSION_TARGETS[target](wire), after=0), wire.status)
    assert any("succeeded after the acknowledgement" in fault for fault in faults), faults


@pytest.mark.parametrize("target", ["user_id", "all_users", "token", "token_id"])
def test_an_early_acknowledgement_of_the_others_is_noticed(server: RunningServer, target: str) -> None:
    """Control: a store that says of users and of tokens too that they are revoked, and revokes nothing."""
    with served_with(server, AcknowledgesTooEarly) as where, connected(where, server.credential) as wire:
        if target in TOKEN_TARGETS:
            faults = race_with_a_token(wire, TOKEN_TARGETS[target](wire), after=0)
            assert faults == ["3 of 3 times the token was good after the acknowledgement"]
        else:
            faults = faults_of(race(wire, SESSION_TARGETS[target](wire), after=0), wire.status)
            assert any("succeeded after the acknowledgement" in fault for fault in faults), faults


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
def test_each_fault_of_a_session_has_its_words(played: Round, status: str, faults: list[str]) -> None:
    """The checker names what is wrong with a round, and nothing about a good one."""
    assert faults_of(played, lambda _: status) == faults


def shown(*attempts: tuple[float, str], acknowledged: float | None = 1) -> Round:
    """A round in which a token was shown at those moments and answered so."""
    return Round([Attempt(begun, Refreshed(status)) for begun, status in attempts], acknowledged)


@pytest.mark.parametrize(
    ("played", "faults"),
    [
        (shown((0, "ACTIVE"), (0.5, "REVOKED"), (2, "REVOKED")), []),
        (shown((0, "ACTIVE"), acknowledged=None), ["the revocation was not acknowledged"]),
        (shown((0, "ACTIVE")), ["nothing was tried after the acknowledgement"]),
        (
            shown((2, "ACTIVE"), (3, "REVOKED")),
            ["1 of 2 times the token was good after the acknowledgement"],
        ),
        (shown((0, "EXPIRED"), (2, "REVOKED")), ["the token is answered with ['EXPIRED']"]),
    ],
)
def test_each_fault_of_a_token_has_its_words(played: Round, faults: list[str]) -> None:
    """As for sessions."""
    assert faults_of_a_token(played) == faults
