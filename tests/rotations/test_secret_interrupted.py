"""A rotation of the refresh-token or the guest key that was cut off anywhere is gone on with by the same command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import pytest

from authsvc.app.rotating import Rotated, add_next
from authsvc.clock import Clock, system_clock, system_randomness
from authsvc.errors import RefreshRefused
from authsvc.model import ApiKey
from authsvc.signing import base64url
from authsvc.signing.sealing import Sealer
from authsvc.storage.base import Store
from authsvc.tokens.refresh_token import PREFIX
from authsvc.tokens.requests import GuestSubject
from tests.conftest import HandClock
from tests.rotations.conftest import Command
from tests.rotations.cutting import At, CutStore, Point
from tests.rotations.scene import NEEDED, OLD, PURPOSES, Interrupted, Place
from tests.tokens.service import REQUEST_ID, Service, open_service


@dataclass(frozen=True)
class Case:
    """A rotation: what it finds, and the changes that it makes."""

    newest_is_old: timedelta | None
    """Since when there is a second key; None: there is only one."""
    words: tuple[str, ...] = ()
    changes: tuple[str, ...] = ("add",)

    @property
    def before(self) -> list[int]:
        return [1] if self.newest_is_old is None else [1, 2]

    @property
    def after(self) -> list[int]:
        return [self.before[-1], self.before[-1] + 1]

    def cut_at(self, point: Point) -> list[int]:
        """The keys that are there when it is cut: of a change that was not committed nothing is to be seen."""
        made = point.change + (point.at is At.AFTER)
        if made == len(self.changes):
            return self.after
        return self.before[-1:] if made else self.before


CASES = {
    "a second key": Case(None),
    "a third when the first is of no use": Case(timedelta(days=100), changes=("remove", "add")),
    "a third by force": Case(timedelta(hours=1), ("--forget-old",), changes=("remove", "add")),
}
POINTS = [
    pytest.param(case, Point(change, at), id=f"{name}, {at.value} {what}")
    for name, case in CASES.items()
    for change, what in enumerate(case.changes)
    for at in At
]


@dataclass
class Witness:
    """A server that runs meanwhile, and what its callers have been given under each key by its number."""

    service: Service
    app: ApiKey
    noun: str
    refresh_tokens: dict[int, str] = field(default_factory=dict)
    guests: dict[int, str] = field(default_factory=dict)

    def catch_up(self, **by: float) -> None:
        """Let it hear of what was done, and let time go by; by default what it needs to use a new key."""
        self.service.domain.follower.looks.catch_up()
        self.service.clock.move(**by or {"minutes": 5})

    def remember(self) -> int:
        """Be given something now; returns the number of the key that it was made with."""
        number, _ = self.service.domain.secrets.ring(PURPOSES[self.noun]).current()
        text = self.service.session(self.app)
        if self.noun == "refresh-key":
            assert key_of(text) == number
        self.refresh_tokens[number] = text
        self.guests[number] = self.guest()
        return number

    def guest(self) -> str:
        """The guest of a request that is repeated."""
        issued = self.service.issue(self.app, GuestSubject("sara"), request_id=REQUEST_ID)
        return issued.minted.token.claims.user.id

    def accepts(self, number: int) -> bool:
        """Whether what was given under that key is as good as it was; a refresh token is turned."""
        try:
            refreshed = self.service.refresh(self.refresh_tokens[number])
        except RefreshRefused:
            return False
        assert self.service.validate(self.app, refreshed.minted.text).active
        return refreshed.rotated

    def numbers(self) -> tuple[int, ...]:
        """The keys it has."""
        return self.service.domain.secrets.ring(PURPOSES[self.noun]).numbers()


def key_of(text: str) -> int:
    """The number of the key that a refresh token was made with."""
    return base64url.decode(text.removeprefix(PREFIX))[0]


def numbers(place: Place, noun: str) -> list[int]:
    """The keys the store has; fails where one of its records is not readable."""
    assert place.contents(OLD)
    with closing(place.open(exclusive=False)) as store:
        return [secret.number for secret in store.secrets(PURPOSES[noun])]


@contextmanager
def witness(place: Place, noun: str, app: ApiKey | None = None) -> Iterator[Witness]:
    clock = HandClock(system_clock())
    with open_service(place.settings.state_dir, clock, place.settings.store, kek=OLD) as service:
        yield Witness(service, app or service.app(guests_enabled=True), noun)


def rotate(
    place: Place, noun: str, case: Case, point: Point | None, *, clock: Clock = system_clock
) -> tuple[Rotated, int]:
    """What the command does up to that point: its result, and how many changes it made of the store."""
    with closing(place.open(exclusive=False)) as store:
        cut, forget_old = CutStore(store, place, point), "--forget-old" in case.words
        sealer, needed_for = Sealer(OLD, system_randomness), NEEDED[noun]
        rotated = add_next(
            cast(Store, cut), sealer, PURPOSES[noun], needed_for=needed_for, forget_old=forget_old, clock=clock
        )
        return rotated, cut.changes


def prepare(place: Place, seen: Witness, case: Case) -> int:
    """Have the keys that the case finds, and something made with each; returns the number of the one in use."""
    in_use = seen.remember()
    if case.newest_is_old is not None:
        rotate(place, seen.noun, Case(None), None, clock=HandClock(system_clock() - case.newest_is_old))
        seen.catch_up()
        in_use = seen.remember()
    assert (numbers(place, seen.noun), in_use) == (case.before, case.before[-1])
    return in_use


@pytest.mark.parametrize("noun", PURPOSES)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_changes_are_those_that_are_cut(place: Place, noun: str, case: Case) -> None:
    """A rotation makes one change of the store, or two where it forgets a key: there are no other points."""
    with witness(place, noun) as seen:
        prepare(place, seen, case)
        rotated, changes = rotate(place, noun, case, None)
    assert (rotated.number, changes) == (case.after[-1], len(case.changes))


@pytest.mark.parametrize("noun", PURPOSES)
@pytest.mark.parametrize(("case", "point"), POINTS)
def test_cut_off_anywhere_it_goes_on(place: Place, command: Command, noun: str, case: Case, point: Point) -> None:
    """Before, within and after each change: servers go on with the key in use, the command is run again and ends with
    the two keys that should be, the newest is used once all know it, and what the one before made is good."""
    done = point == Point(len(case.changes) - 1, At.AFTER)
    with witness(place, noun) as seen:
        in_use = prepare(place, seen, case)
        with pytest.raises(Interrupted):
            rotate(place, noun, case, point)
        seen.catch_up(seconds=1)
        left = numbers(place, noun)
        assert (left, list(seen.numbers()), in_use in left) == (case.cut_at(point), left, True)
        assert (seen.remember(), seen.guest()) == (in_use, seen.guests[in_use])

        # Done twice by force it would forget the key in use: docs/operations.md says to ask without it first.
        again = command(noun, "rotate", *(() if done else case.words), kek=OLD)
        if done:
            assert (again.code, "two keys are in use, the newer one since" in again.err) == (1, True)
        else:
            assert again.code == 0, again.err
        assert numbers(place, noun) == case.after

        seen.catch_up(seconds=1)
        assert seen.remember() == in_use, "not every server must know the newest"
        seen.catch_up()
        assert seen.remember() == case.after[-1]
        assert seen.accepts(in_use)
        assert seen.accepts(case.after[-1])
        assert len(set(seen.guests.values())) == (len(seen.guests) if noun == "guest-key" else 1)
    with witness(place, noun, seen.app) as other:
        other.catch_up()
        assert (list(other.numbers()), other.guest()) == (case.after, seen.guests[case.after[-1]])
