"""Of 64 that present one refresh token at once, one rotates it and 63 are given the same child."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from tests.conftest import RunningServer
from tests.races.presenting import CROWD, Race, faults_afterwards, faults_of, race
from tests.races.stores import ChecksThenUpdates, served_with
from tests.races.wire import REPLAYED, ROTATED, Refreshed, Wire, connected, new_request_id

ROUNDS = 5


def test_one_rotates_and_all_others_are_replayed(wire: Wire) -> None:
    """Round after round: one ROTATED, 63 REPLAYED, one child, the session alive, the child refreshes."""
    races = [race(wire, user=f"user-{number}") for number in range(ROUNDS)]
    assert races == [Race(Counter({ROTATED: 1, REPLAYED: 63}), [])] * ROUNDS


def test_request_ids_make_no_difference(wire: Wire) -> None:
    """All with one request id, or each with its own: the outcome is the same."""
    for request_ids in ([new_request_id()] * CROWD, [new_request_id() for _ in range(CROWD)]):
        issued = wire.issue()
        answers = wire.refresh_together(issued.refresh_token, request_ids)
        assert faults_of(issued.refresh_token, answers) + faults_afterwards(wire, answers) == []


def test_one_request_needs_no_grace(server: RunningServer) -> None:
    """Where an app allows no grace, one request id on all presentations makes them one refresh, and none an alarm."""
    server.new_app("strict", refresh_grace=timedelta(0))
    with connected(server.target, server.credential, api_key="strict") as wire:
        issued = wire.issue()
        answers = wire.refresh_together(issued.refresh_token, [new_request_id()] * CROWD)
        assert faults_of(issued.refresh_token, answers) + faults_afterwards(wire, answers) == []
        alarmed = wire.issue()
        faults = faults_of(alarmed.refresh_token, wire.refresh_together(alarmed.refresh_token, [""] * CROWD))
    assert any("REFRESH_TOKEN_REUSED" in fault for fault in faults), faults


def test_check_then_update_is_noticed(server: RunningServer) -> None:
    """Control: a store that checks first and updates afterwards is caught by the same race in its first round."""
    with served_with(server, ChecksThenUpdates) as target, connected(target, server.credential) as wire:
        faults = race(wire).faults
    assert any("rotated it instead of one" in fault for fault in faults), faults


def test_a_session_lost_in_a_race_is_noticed(server: RunningServer, wire: Wire) -> None:
    """Control: a session that ends during the race is caught by what follows it, refreshes and access tokens alike."""
    issued = wire.issue()
    answers = wire.refresh_together(issued.refresh_token, [""] * CROWD)
    child = wire.refresh(answers[0].child).child
    assert wire.refresh(child).outcome == ROTATED
    assert wire.refresh(issued.refresh_token).outcome == "REFRESH_TOKEN_REUSED"
    assert faults_afterwards(wire, answers) == [
        "access tokens of the session are {'SESSION_REVOKED': 64}",
        "the child's refresh is ['SESSION_REVOKED']",
    ]


GOOD = [Refreshed(ROTATED, "child"), Refreshed(REPLAYED, "child"), Refreshed(REPLAYED, "child")]


@pytest.mark.parametrize(
    ("answers", "faults"),
    [
        (GOOD, []),
        ([Refreshed(ROTATED, "child"), *GOOD], ["2 rotated it instead of one"]),
        (GOOD[1:], ["0 rotated it instead of one"]),
        ([*GOOD, Refreshed("REFRESH_TOKEN_REUSED")], ["refused: {'REFRESH_TOKEN_REUSED': 1}"]),
        ([*GOOD, Refreshed(REPLAYED, "other")], ["2 children instead of one"]),
        ([Refreshed(ROTATED, "parent"), Refreshed(REPLAYED, "parent")], ["the child is its parent"]),
    ],
)
def test_each_fault_has_its_words(answers: list[Refreshed], faults: list[str]) -> None:
    """The checker names what is wrong with a set of answers, and nothing about good ones."""
    assert faults_of("parent", answers) == faults
