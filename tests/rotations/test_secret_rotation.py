"""The keys of refresh tokens and of guests' ids: a second one at any time, a third when the first is not needed."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from authsvc.app import Refused
from authsvc.app.composition import open_domain
from authsvc.app.rotating import Rotated, add_next
from authsvc.clock import Clock, Randomness, system_clock, system_randomness
from authsvc.model import ApiKey, AppSettings, AuditEvent, SealedSecret
from authsvc.signing.sealing import Sealer
from authsvc.storage.base import Store
from tests.cli.conftest import Ended
from tests.conftest import HandClock
from tests.rotations.conftest import Command
from tests.rotations.scene import DAY, NEEDED, OLD, PURPOSES, Place

both = pytest.mark.parametrize("noun", PURPOSES)


def secrets(place: Place, noun: str) -> list[SealedSecret]:
    with closing(place.open(exclusive=False)) as store:
        return sorted(store.secrets(PURPOSES[noun]), key=lambda secret: secret.number)


def add(store: Store, noun: str, clock: Clock, randomness: Randomness = system_randomness) -> Rotated:
    """What the command does, at another time than now or with other randomness."""
    sealer, needed = Sealer(OLD, randomness), NEEDED[noun]
    return add_next(store, sealer, PURPOSES[noun], needed_for=needed, forget_old=False, clock=clock)


@both
def test_a_second_key_at_any_time_and_no_third(place: Place, command: Command, noun: str) -> None:
    """The next key is made at once; another one after it would take the oldest from those who need it: that is refused
    with the moment from which it is not, nothing is changed, and --forget-old does it all the same."""
    assert command(noun, "rotate", "--json", kek=OLD).json == {"number": 2, "forgotten": None}
    kept = secrets(place, noun)
    free_at = kept[-1].created_at + NEEDED[noun]
    refused = command(noun, "rotate", kek=OLD)
    assert refused.code == 1
    assert f"two keys are in use, the newer one since {kept[-1].created_at:%Y-%m-%d %H:%M} UTC, and" in refused.err
    assert f"can live until {free_at:%Y-%m-%d %H:%M} UTC: wait, or end it at once with --forget-old" in refused.err
    assert (secrets(place, noun), [one.number for one in kept]) == (kept, [1, 2])
    assert command(noun, "rotate", "--forget-old", "--json", kek=OLD).json == {"number": 3, "forgotten": 1}
    assert [one.number for one in secrets(place, noun)] == [2, 3]


@both
def test_the_command_says_what_it_did(place: Place, command: Command, noun: str) -> None:
    """One change or two, and a line for each: the key that was made, and the one that was forgotten for it."""
    made = "key {} is made: servers use it once all of them know it\n"
    assert command(noun, "rotate", kek=OLD) == Ended(0, made.format(2), "")
    assert command(noun, "rotate", "--forget-old", kek=OLD) == Ended(0, made.format(3) + "key 1 is forgotten\n", "")


@both
@pytest.mark.parametrize(("ago", "free"), [(timedelta(minutes=5), True), (-timedelta(minutes=5), False)])
def test_a_third_key_when_the_first_is_not_needed(
    place: Place, command: Command, noun: str, ago: timedelta, free: bool
) -> None:
    """The oldest of two goes by itself as soon as nothing that it made can be shown, and not before."""
    then = HandClock(system_clock() - NEEDED[noun] - ago)
    with closing(place.open(exclusive=False)) as store:
        add(store, noun, then)
    made = command(noun, "rotate", "--json", kek=OLD)
    assert (made.code == 0, [one.number for one in secrets(place, noun)]) == (free, [2, 3] if free else [1, 2])
    if free:
        assert made.json == {"number": 3, "forgotten": 1}


@pytest.mark.parametrize(("ago", "free"), [(timedelta(minutes=5), True), (-timedelta(minutes=5), False)])
def test_the_longest_session_of_any_app_decides(place: Place, command: Command, ago: timedelta, free: bool) -> None:
    """A key of refresh tokens is needed as long as any app's sessions may ever have lived, also where that was changed
    since; from when every server uses the newer one."""
    longest, settle = 200 * DAY, timedelta(hours=1)
    with open_domain(place.settings, OLD) as domain:
        app = domain.apps.create_as("test", ApiKey("patient"), AppSettings(session_max_ttl=longest))
        shorter = replace(app.settings, session_max_ttl=30 * DAY)
        event = AuditEvent(system_clock(), "app.updated", "test", app.api_key, app.api_key, "done")
        domain.store.edit_app(app.api_key, lambda app: replace(app, settings=shorter), event)
        add(domain.store, "refresh-key", HandClock(system_clock() - settle - longest - ago))
    ended = command("refresh-key", "rotate", kek=OLD, AUTHSVC_MAX_STALENESS="1h")
    assert (ended.code == 0) == free


@both
def test_of_two_at_once_one_makes_the_key(place: Place, noun: str) -> None:
    """Where another process makes the next key in the same moment, that one is it, and this command says so."""
    with closing(place.open(exclusive=False)) as store, closing(place.open(exclusive=False)) as other:

        def while_another_does(size: int) -> bytes:
            if len(other.secrets(PURPOSES[noun])) == 1:
                add(other, noun, system_clock)
            return system_randomness(size)

        with pytest.raises(Refused, match="another process made one at the same moment: that is the new one"):
            add(store, noun, system_clock, while_another_does)
    assert [one.number for one in secrets(place, noun)] == [1, 2]
    assert place.contents(OLD)
