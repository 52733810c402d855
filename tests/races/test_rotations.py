"""Rotations and revocations of keys under load: no good token is refused, none of a revoked key is accepted."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tests.conftest import RunningServer
from tests.races.rotating import (
    ACTIVE,
    KEY_REVOKED,
    Asked,
    Load,
    Revocation,
    Story,
    Worker,
    fault_of,
    faults_of,
    rotate,
    worker_of,
)

ROTATIONS = 30


def play(worker: Worker, *, bound: float = 0.0) -> Story:
    """Rotate under load, revoking every third key; and ask a while longer."""
    story = Story()
    with Load([worker], story, bound=bound) as load:
        for number in range(ROTATIONS):
            rotate([worker], story, revoke=number % 3 == 2)
            load.judge()
        load.wait_for_answers(200)
    return story


def test_rotations_under_load(server: RunningServer) -> None:
    """On one worker a revocation holds from its acknowledgement on, and rotations are not noticed by anybody."""
    story = play(worker_of(server.channel(), server.credential))
    assert faults_of(story) == []
    assert (story.rotations, len(story.revocations)) == (ROTATIONS, ROTATIONS // 3)
    assert set(story.answers) == {ACTIVE, KEY_REVOKED}


def test_a_worker_that_does_not_hear_of_revocations_is_noticed(server: RunningServer) -> None:
    """Control: revocations that are acknowledged and not made are found by the same load."""
    worker = worker_of(server.channel(), server.credential)
    faults = faults_of(play(replace(worker, revoke=lambda _: None)))
    assert any("after its revocation" in fault for fault in faults), faults[:3]


def test_a_worker_that_forgets_retired_keys_is_noticed(server: RunningServer) -> None:
    """Control: rotations that end the former key are found by the same load."""
    worker = worker_of(server.channel(), server.credential)

    def activate_and_end(key_id: str) -> None:
        former = worker.issue().key_id
        worker.activate(key_id)
        worker.revoke(former)

    faults = faults_of(play(replace(worker, activate=activate_and_end)))
    assert any("was refused as KEY_REVOKED" in fault for fault in faults), faults[:3]


REVOKED = Revocation(begun=10.0, acknowledged=11.0)


@pytest.mark.parametrize(
    ("begun", "ended", "status", "revocation", "fault"),
    [
        (1, 2, ACTIVE, None, ""),
        (1, 2, "KEY_UNKNOWN", None, "a good token of kid was refused as KEY_UNKNOWN"),
        (8, 9, ACTIVE, REVOKED, ""),
        (8, 9, KEY_REVOKED, REVOKED, "a good token of kid was refused as KEY_REVOKED"),
        (9, 10.5, ACTIVE, REVOKED, ""),
        (9, 10.5, KEY_REVOKED, REVOKED, ""),
        (12, 12.1, ACTIVE, REVOKED, ""),
        (12.1, 12.2, ACTIVE, REVOKED, "a token of kid was accepted 1.10 s after its revocation"),
        (12.1, 12.2, KEY_REVOKED, REVOKED, ""),
        (12.1, 12.2, "EXPIRED", REVOKED, "a token of the revoked kid was called EXPIRED"),
    ],
)
def test_what_an_answer_may_be(
    begun: float, ended: float, status: str, revocation: Revocation | None, fault: str
) -> None:
    """Good before the revocation was asked for, either while it is made and for the bound after, revoked from then."""
    assert fault_of(Asked(begun, ended, "kid", status), revocation, bound=1.0) == fault


def test_a_story_in_which_nothing_happened_is_no_proof() -> None:
    """A load that asked about nothing good, or about nothing revoked, says so; refused calls are faults too."""
    story = Story(revocations={"kid": Revocation(time.monotonic())}, failures=["UNAVAILABLE: DRAINING"])
    assert faults_of(story) == [
        "refused: UNAVAILABLE: DRAINING",
        "no token was good",
        "no token of a revoked key was asked about",
    ]
