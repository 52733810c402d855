"""A server that is killed in the midst of its work knows afterwards whatever it acknowledged."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from tests.conftest import RunningServer
from tests.races.server_process import ServerProcess
from tests.races.surviving import Chain, Ledger, Load, faults_after, stop_at_once
from tests.races.wire import REPLAYED, ROTATED, Refreshed, Wire, connected, new_request_id
from tests.rows import Rows

POINTS, REFRESHERS = 3, 16


@pytest.fixture
def process(state_dir: Path) -> Iterator[ServerProcess]:
    """A server process, not started; killed when the test ends."""
    process = ServerProcess(state_dir)
    yield process
    process.kill()


def _run_and_kill(process: ServerProcess, ledger: Ledger, acknowledgements: int) -> None:
    """Put load on the running process and kill it after so many acknowledgements."""
    with connected(process.target, process.credential) as wire:
        load = Load(wire, ledger, refreshers=REFRESHERS)
        stop_at_once(process.kill, load, ledger, acknowledgements)


def _faults(process: ServerProcess, ledger: Ledger) -> list[str]:
    with connected(process.target, process.credential) as wire:
        return faults_after(wire, ledger)


def test_nothing_acknowledged_is_lost(process: ServerProcess) -> None:
    """After each SIGKILL under 16 refreshers every acknowledged issue, rotation and revocation holds, and all go on."""
    ledger, moments = Ledger(), random.Random(1)
    process.start()
    for _ in range(POINTS):
        _run_and_kill(process, ledger, moments.randrange(20, 200))
        process.start()
        assert _faults(process, ledger) == []
    assert ledger.rotations > 0
    assert ledger.revocations > 0
    assert process.stop() == 0


def test_a_store_that_forgot_is_noticed(process: ServerProcess, tmp_path: Path) -> None:
    """Control: when an older copy of the store comes back, the same checker misses what was acknowledged since."""
    ledger, copy = Ledger(), tmp_path / "copy"
    process.start()
    _run_and_kill(process, ledger, 50)
    shutil.copytree(process.state_dir, copy)
    process.start()
    assert _faults(process, ledger) == []
    _run_and_kill(process, ledger, 200)
    for file in process.state_dir.glob("authsvc.db*"):
        file.unlink()
    for file in copy.glob("authsvc.db*"):
        shutil.copy(file, process.state_dir)
    process.start()
    faults = _faults(process, ledger)
    assert any("its last acknowledged refresh token is REFRESH_TOKEN_INVALID" in fault for fault in faults), faults


def _chain(wire: Wire, rotations: int) -> Chain:
    issued = wire.issue()
    chain = Chain(issued.token, issued.refresh_token, new_request_id())
    for _ in range(rotations):
        answer = wire.refresh(chain.token)
        chain = Chain(answer.access, answer.child, new_request_id(), chain.rotations + 1)
    return chain


def test_a_chain_that_holds_has_no_faults(wire: Wire) -> None:
    """The checker says nothing about a session that is where its owner knows it, also when it is one step further."""
    holds, ahead = _chain(wire, 2), _chain(wire, 2)
    assert wire.refresh(ahead.token, request_id=ahead.request_id).outcome == "ROTATED"  # its answer was lost
    assert faults_after(wire, Ledger([holds, ahead])) == []


def test_a_lost_rotation_is_noticed(server: RunningServer, wire: Wire) -> None:
    """A rotation that was acknowledged and is not in the store is a fault: its token is ahead of the store."""
    chain = _chain(wire, 2)
    Rows(server.state_dir).tamper("UPDATE sessions SET generation = generation - 1")
    assert faults_after(wire, Ledger([chain])) == [
        "session 0 after 2 rotations: its last acknowledged refresh token is REFRESH_TOKEN_INVALID"
    ]


def test_a_rotation_made_twice_is_noticed(server: RunningServer, wire: Wire) -> None:
    """A chain that two parties have moved on is a fault: the last token its owner was given is spent."""
    chain = _chain(wire, 2)
    stranger = wire.refresh(chain.token)
    wire.refresh(stranger.child)
    assert faults_after(wire, Ledger([chain])) == [
        "session 0 after 2 rotations: its last acknowledged refresh token is REFRESH_TOKEN_REUSED"
    ]


class Scripted:
    """Answers refreshes with what it was given, one after the other."""

    def __init__(self, *answers: Refreshed) -> None:
        self._answers = iter(answers)

    def refresh(self, token: str, *, request_id: str) -> Refreshed:
        return next(self._answers)


@pytest.mark.parametrize(
    ("again", "fault"),
    [
        (Refreshed(ROTATED, "grandchild"), "its spent refresh token is ROTATED, and not for the same child"),
        (Refreshed(ROTATED, "child"), "its spent refresh token is ROTATED, and for the same child"),
        (Refreshed(REPLAYED, "other"), "its spent refresh token is REPLAYED, and not for the same child"),
    ],
)
def test_a_refresh_token_accepted_twice_is_noticed(again: Refreshed, fault: str) -> None:
    """A spent refresh token that rotates once more, or is given another child, is a fault."""
    wire = cast(Wire, Scripted(Refreshed(ROTATED, "child"), again))
    assert faults_after(wire, Ledger([Chain("access", "parent", "id")])) == [f"session 0 after 0 rotations: {fault}"]


def test_a_lost_revocation_is_noticed(wire: Wire) -> None:
    """A revocation that was acknowledged and is not in the store is a fault: of its session, and of its token."""
    lost = replace(_chain(wire, 2), revoked=True)
    assert faults_after(wire, Ledger([lost])) == [
        "session 0 after 2 rotations: revoked, and its refresh is ROTATED",
        "session 0 after 2 rotations: revoked, and its access token is ACTIVE",
    ]
