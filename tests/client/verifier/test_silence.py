"""A stream that says nothing is not waited for: another is opened, and what it would have told is asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from authsvc.client import AuthClientError, Failure, TokenNotActive, TrustStale
from authsvc.client.verifier.following import ANSWERED_WITHIN, MAX_STALENESS, RECONCILE_EVERY, SILENCE
from authsvc.client.verifier.pauses import LONGEST
from authsvc.v1 import trust_pb2 as v1
from tests.client.tokens.made import Machine
from tests.client.verifier.made import Heard, policy, token
from tests.client.verifier.peer import Held, Hold, Peer
from tests.rpc.surface import eventually

BEAT = timedelta(seconds=5)
"""How often the contract promises a heartbeat."""


def status_of(held: Held, text: str) -> str:
    """The verdict, or that there is none."""
    try:
        held.verify(text)
    except TokenNotActive as refused:
        return refused.status
    except TrustStale:
        return "STALE"
    return "ACTIVE"


# -- the rule --------------------------------------------------------------------------------------


def test_a_stream_is_silent_when_what_is_promised_does_not_come() -> None:
    """A first word at once, then one in five seconds at least; each begins anew, inside of a snapshot too."""
    heard = Heard()
    for _ in range(2):
        heard.following.request()
        heard.clock.move(seconds=ANSWERED_WITHIN.total_seconds())
        assert not heard.following.silent
        heard.clock.move(seconds=0.001)
        assert heard.following.silent
    heard.following.request()
    for event in ({"snapshot_start": v1.SnapshotStart()}, {"policy": policy()}):
        heard.update(**event)
        heard.clock.move(seconds=SILENCE.total_seconds())
        assert not heard.following.silent
    heard.clock.move(seconds=0.001)
    assert heard.following.silent


def test_silence_is_found_out_in_time() -> None:
    """Not while heartbeats come as promised; before what is known is too old; and soon after the service is back."""
    assert BEAT < SILENCE < MAX_STALENESS
    assert ANSWERED_WITHIN + timedelta(seconds=LONGEST) < timedelta(seconds=5)


def test_that_a_stream_was_silent_is_said() -> None:
    """The library only says that the call was cancelled; the control is one that was cancelled for something else."""
    cancelled = AuthClientError(Failure("CANCELLED", "CANCELLED", "by whom, it does not say"))
    for seconds, log in ((2, []), (4, [("warn", "the service is not heard")])):
        heard = Heard()
        heard.following.request()
        heard.clock.move(seconds=seconds)
        heard.following.ended(cancelled)
        assert heard.log == log


# -- both kinds of verifier ------------------------------------------------------------------------


def test_a_silent_stream_is_ended_and_another_goes_on(hold: Hold, peer: Peer, machine: Machine) -> None:
    """From the cursor, before what is known is too old; the line lived all the time."""
    text = token(machine.clock)
    with hold(peer.target, machine) as held:
        assert held.ready()
        assert status_of(held, text) == "ACTIVE"
        late = SILENCE + timedelta(milliseconds=1)
        heartbeat = peer.update("1-2", heartbeat=v1.Heartbeat())
        heartbeat.as_of.FromDatetime(machine.clock() + late)
        peer.beginning = [heartbeat]
        machine.clock.move(seconds=late.total_seconds())
        assert eventually(lambda: peer.opened, lambda seen: len(seen) > 1) == ["", "1-1"]
        machine.clock.move(seconds=5)
        assert not eventually(lambda: held.stale, lambda stale: not stale), "what was known before is 13 s old"
        assert status_of(held, text) == "ACTIVE"
        assert peer.opened == ["", "1-1"], "a stream that speaks is kept"


def test_a_stream_that_never_speaks_is_given_up_too(hold: Hold, peer: Peer, machine: Machine) -> None:
    """Each one, until one speaks; meanwhile what is too old is said to be so, and why."""
    with hold(peer.target, machine) as held:
        assert held.ready()
        peer.beginning = []
        text = token(machine.clock)
        machine.clock.move(seconds=11)
        for streams in (2, 3):
            assert eventually(lambda: len(peer.opened), streams.__le__) == streams
            machine.clock.move(seconds=ANSWERED_WITHIN.total_seconds() + 0.001)
        with pytest.raises(TrustStale, match="SILENT"):
            held.verify(text)
        peer.beginning = [peer.update("1-2", heartbeat=v1.Heartbeat())]
        assert eventually(lambda: status_of(held, text), "ACTIVE".__eq__) == "ACTIVE"


def test_what_streams_do_not_tell_is_asked_for(hold: Hold, peer: Peer, machine: Machine) -> None:
    """Once a minute, while no update arrives; what is answered is taken."""
    text = token(machine.clock)
    with hold(peer.target, machine, max_staleness=timedelta(hours=1)) as held:
        assert held.ready()
        assert status_of(held, text) == "ACTIVE"
        peer.beginning, peer.bundle = [], v1.GetTrustBundleResponse(policy=policy(2, suspended=True))
        machine.clock.move(seconds=RECONCILE_EVERY.total_seconds())
        assert eventually(lambda: status_of(held, text), "APP_SUSPENDED".__eq__) == "APP_SUSPENDED"
        assert peer.polled == 1


def test_what_a_stream_that_speaks_does_not_tell_is_asked_for(hold: Hold, peer: Peer, machine: Machine) -> None:
    """Beside its heartbeats, on the one stream that there is."""
    text = token(machine.clock)
    with hold(peer.target, machine, max_staleness=BEAT - timedelta(seconds=1)) as held:
        assert held.ready()
        peer.bundle = v1.GetTrustBundleResponse(policy=policy(2, suspended=True))
        for number in range(int(RECONCILE_EVERY / BEAT)):
            assert (status_of(held, text), peer.polled) == ("ACTIVE", 0)
            machine.clock.move(seconds=BEAT.total_seconds())
            assert held.stale
            peer.say(peer.update(f"1-{number + 2}", heartbeat=v1.Heartbeat()))
            assert not eventually(lambda: held.stale, lambda stale: not stale)
        assert eventually(lambda: status_of(held, text), "APP_SUSPENDED".__eq__) == "APP_SUSPENDED"
        assert (peer.polled, len(peer.opened)) == (1, 1)


def test_a_verifier_knows_no_longer_than_ten_seconds(hold: Hold, peer: Peer, machine: Machine) -> None:
    """Unless it is told another bound, what was not heard again for longer is too old."""
    with hold(peer.target, machine) as held:
        assert held.ready()
        peer.beginning = []
        machine.clock.move(seconds=10)
        assert not held.stale
        machine.clock.move(seconds=0.001)
        assert held.stale
