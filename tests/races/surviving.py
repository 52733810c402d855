"""What callers were told before the server died, and whether it is still so afterwards.

Only what was acknowledged counts. A call that was under way when the server died may have been done or not; its owner
repeats it with the same request id and goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import grpc

from tests.races.wire import RENEWED, REPLAYED, Wire, new_request_id

_BOUND = 60.0
_REUSED = "REFRESH_TOKEN_REUSED"


@dataclass
class Chain:
    """A session as its owner knows it. ``request_id`` is of the refresh that is, or will be, under way."""

    access: str = field(repr=False)
    token: str = field(repr=False)
    request_id: str
    rotations: int = 0
    revoked: bool = False


@dataclass
class Ledger:
    """Everything that was acknowledged, by the callers that were told."""

    chains: list[Chain] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    rotations: int = 0
    issues: int = 0
    revocations: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition, repr=False)

    def count(self, *, rotations: int = 0, issues: int = 0, revocations: int = 0) -> None:
        """Note that the server acknowledged something."""
        with self._changed:
            self.rotations += rotations
            self.issues += issues
            self.revocations += revocations
            self._changed.notify_all()

    def wait_for(self, acknowledgements: int) -> None:
        """Return once so many more were noted."""
        with self._changed:
            wanted = self.total + acknowledgements
            assert self._changed.wait_for(lambda: self.total >= wanted or bool(self.faults), _BOUND), "no progress"

    @property
    def total(self) -> int:
        """All acknowledgements."""
        return self.rotations + self.issues + self.revocations

    @property
    def living(self) -> list[Chain]:
        """The chains that nobody revoked."""
        return [chain for chain in self.chains if not chain.revoked]


class Load:
    """Callers that refresh, issue and revoke until the server is gone."""

    def __init__(self, wire: Wire, ledger: Ledger, *, refreshers: int) -> None:
        self._wire = wire
        self._ledger = ledger
        while len(ledger.living) < refreshers:
            ledger.chains.append(self._open())
        work: list[Callable[[], None]] = [
            *(lambda chain=chain: self._refresh(chain) for chain in ledger.living[:refreshers]),
            self._issue,
            self._revoke,
        ]
        self._threads = [threading.Thread(target=self._until_gone, args=(one,)) for one in work]

    def start(self) -> None:
        """Let all callers go."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until all callers have seen that the server is gone."""
        for thread in self._threads:
            thread.join(_BOUND)
            assert not thread.is_alive()

    def _until_gone(self, work: Callable[[], None]) -> None:
        try:
            while not self._ledger.faults:
                work()
        except grpc.RpcError as gone:
            if gone.code() is not grpc.StatusCode.UNAVAILABLE:
                self._ledger.faults.append(f"a call ended with {gone.code()}")

    def _open(self) -> Chain:
        issued = self._wire.issue()
        self._ledger.count(issues=1)
        return Chain(issued.token, issued.refresh_token, new_request_id())

    def _refresh(self, chain: Chain) -> None:
        answer = self._wire.refresh(chain.token, request_id=chain.request_id)
        if answer.outcome not in RENEWED:
            self._ledger.faults.append(f"under load a refresh is answered with {answer.outcome}")
            return
        chain.access, chain.token, chain.request_id = answer.access, answer.child, new_request_id()
        chain.rotations += 1
        self._ledger.count(rotations=1)

    def _issue(self) -> None:
        self._ledger.chains.append(self._open())

    def _revoke(self) -> None:
        """Open a session, go on twice, and steal the first refresh token: the answer acknowledges the revocation."""
        chain = self._open()
        stolen = chain.token
        self._refresh(chain)
        self._refresh(chain)
        outcome = self._wire.refresh(stolen).outcome
        if outcome != _REUSED:
            self._ledger.faults.append(f"a stolen refresh token is answered with {outcome}")
        chain.revoked = True
        self._ledger.chains.append(chain)
        self._ledger.count(revocations=1)


def faults_after(wire: Wire, ledger: Ledger) -> list[str]:
    """What the server no longer knows of what it acknowledged. Each living chain goes on by one."""
    faults = list(ledger.faults)
    for number, chain in enumerate(ledger.chains):
        check = _lost_revocation if chain.revoked else _lost_rotation
        faults += [f"session {number} after {chain.rotations} rotations: {fault}" for fault in check(wire, chain)]
    return faults


def _lost_revocation(wire: Wire, chain: Chain) -> list[str]:
    outcome, status = wire.refresh(chain.token).outcome, wire.status(chain.access)
    faults = [] if outcome == "SESSION_REVOKED" else [f"revoked, and its refresh is {outcome}"]
    return faults if status == "SESSION_REVOKED" else [*faults, f"revoked, and its access token is {status}"]


def _lost_rotation(wire: Wire, chain: Chain) -> list[str]:
    answer = wire.refresh(chain.token, request_id=chain.request_id)
    if answer.outcome not in RENEWED:
        return [f"its last acknowledged refresh token is {answer.outcome}"]
    again = wire.refresh(chain.token, request_id=chain.request_id)
    chain.access, chain.token, chain.request_id = answer.access, answer.child, new_request_id()
    if (again.outcome, again.child) == (REPLAYED, answer.child):
        return []
    whose = "for the same child" if again.child == answer.child else "not for the same child"
    return [f"its spent refresh token is {again.outcome}, and {whose}"]


def stop_at_once(kill: Callable[[], None], load: Load, ledger: Ledger, acknowledgements: int) -> None:
    """Let the load run until so much was acknowledged, kill the server in the midst of it, and wait for the callers."""
    with ExitStack() as whatever_happens:
        whatever_happens.callback(load.join)
        whatever_happens.callback(kill)
        load.start()
        ledger.wait_for(acknowledgements)
