"""What no longer matters is forgotten by itself, within a budget, and how far behind that is can be seen."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from authsvc.clock import system_randomness
from authsvc.errors import Reason, Unavailable
from authsvc.logs import LoggerSystem
from authsvc.model import TokenId
from authsvc.operations.janitor import BREATH_SECONDS, BUDGET, EVERY_SECONDS, LATE, ROWS, Janitor
from authsvc.storage import open_store
from authsvc.storage.base import Purged, Store
from tests.conftest import HandClock
from tests.storage.records import APP, a_key, an_app, an_audit

LOGS = LoggerSystem(["storage"])


@pytest.fixture
def store(tmp_path: Path, clock: HandClock) -> Iterator[Store]:
    """A store with an app and 450 single tokens that are revoked for an hour."""
    url = f"sqlite:///{tmp_path}/store.db"
    with closing(open_store(url, clock=clock, randomness=system_randomness)) as store:
        store.create_app(an_app(), a_key(), an_audit())
        for number in range(450):
            store.revoke_token(APP, TokenId(f"jti-{number}"), clock() + timedelta(hours=1), an_audit())
        yield store


def janitor_of(store: object, clock: HandClock, **options: Any) -> Janitor:
    return Janitor(cast(Store, store), LOGS.get_logger("storage"), clock=clock, breath=0, **options)


def test_a_round_removes_all_that_can_go(store: Store, clock: HandClock) -> None:
    """Nothing while it matters; then all of it, in as many purges as that takes, and nothing a second time."""
    janitor = janitor_of(store, clock)
    assert (janitor.round(), store.counts()["revoked_tokens"]) == (0, 450)
    clock.move(hours=3)
    assert (janitor.round(), store.counts()["revoked_tokens"]) == (450, 0)
    assert (janitor.removed["revoked_tokens"], janitor.lag, janitor.round()) == (450, timedelta(0), 0)


class Scripted:
    """A store that purges as it is told, and counts how often it was asked."""

    def __init__(self, *answers: Purged | Exception, takes: float = 0.0) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.passed = 0
        self._takes = int(takes * 1e9)

    def monotonic(self) -> int:
        """A clock on which nothing but purges takes time."""
        return self.passed

    def purge(self, *, limit: int, keep_revisions: int) -> Purged:
        assert (limit, keep_revisions > 0) == (ROWS, True)
        self.asked += 1
        self.passed += self._takes
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_round_has_a_budget(clock: HandClock) -> None:
    """Where there is no end to what can go, a round ends all the same, and the lag says since when it waits."""
    endless = Scripted(Purged({"sessions": ROWS}, complete=False, oldest_due=clock() - timedelta(hours=5)))
    janitor = janitor_of(endless, clock)
    assert janitor.round() == BUDGET
    assert (endless.asked, janitor.lag) == (BUDGET // ROWS, timedelta(hours=5))


def test_a_fault_is_told_once_and_ends_nothing(clock: HandClock) -> None:
    """While the store is away a round removes nothing; afterwards it goes on. One line says so each time."""
    lines: list[str] = []
    logs = LoggerSystem(["storage"], built_in=lambda _, message, event: lines.append(f"{message}: {event['reason']}"))
    away = Unavailable(Reason.STORE_UNAVAILABLE)
    good = Purged({"sessions": 3}, complete=True)
    store = Scripted(away, away, good, RuntimeError("a bug"), good)
    janitor = Janitor(cast(Store, store), logs.get_logger("storage"), clock=clock, breath=0)
    assert [janitor.round() for _ in range(5)] == [0, 0, 3, 0, 3]
    told = "what no longer matters is not forgotten for now"
    assert lines == [f"{told}: STORE_UNAVAILABLE", f"{told}: INTERNAL"]


def test_it_looks_by_itself_until_it_is_stopped(clock: HandClock) -> None:
    """The thread goes round and round, and a stop waits for no more than the purge it is at."""
    store = Scripted(Purged({}, complete=True))
    janitor = janitor_of(store, clock, every=0.001)
    janitor.start()
    while store.asked < 3:
        clock.move(seconds=0)
    janitor.stop()
    asked = store.asked
    assert asked >= 3
    janitor.stop()
    assert store.asked == asked


class Pauses(threading.Event):
    """What a janitor waits on: remembers for how long each time, lets no time go by, and is set after so many."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.over = threading.Event()
        self._count = count

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        if len(self.seconds) < self._count:
            self.seconds.append(timeout)
        if len(self.seconds) == self._count:
            self.set()
            self.over.set()
        return self.is_set()


def pauses_of(store: Scripted, clock: HandClock, count: int) -> list[float]:
    """The first so many pauses of a janitor that was made as the server does, and started."""
    pauses = Pauses(count)
    parts: dict[str, Any] = {"clock": clock, "monotonic": store.monotonic, "stopping": pauses}
    janitor = Janitor(cast(Store, store), LOGS.get_logger("storage"), **parts)
    janitor.start()
    assert pauses.over.wait(30)
    janitor.stop()
    return pauses.seconds


def test_where_nothing_is_left_it_looks_every_half_minute(clock: HandClock) -> None:
    """It looks as soon as it is started, and then every thirty seconds; also when it failed."""
    fault = Unavailable(Reason.STORE_UNAVAILABLE)
    nothing, failing = Scripted(Purged({}, complete=True)), Scripted(fault)
    assert pauses_of(nothing, clock, 4) == pauses_of(failing, clock, 4) == [0.0, 30.0, 30.0, 30.0]
    assert (nothing.asked, failing.asked, EVERY_SECONDS) == (3, 3, 30.0)


def test_while_more_is_due_it_goes_on(clock: HandClock) -> None:
    """However much is due, and though a round has a budget, no purge is more than a breath after the one before; the
    half minute comes again where all is gone."""
    more, done = Purged({"sessions": ROWS}, complete=False, oldest_due=clock()), Purged({"sessions": 7}, complete=True)
    two_rounds = 2 * BUDGET // ROWS
    store = Scripted(*[more] * two_rounds, done)
    pauses = pauses_of(store, clock, two_rounds + 2)
    assert pauses == [0.0, *[BREATH_SECONDS] * two_rounds, EVERY_SECONDS]
    assert store.asked == two_rounds + 1


def test_a_part_of_the_time_is_all_it_takes(clock: HandClock) -> None:
    """Where a purge takes long, so do the pauses: three quarters of the time are left to others, and half of it where
    what could go has waited for five minutes."""
    due = [clock() - LATE + timedelta(seconds=1), clock() - LATE]
    stores = [Scripted(Purged({"sessions": ROWS}, complete=False, oldest_due=since), takes=2.0) for since in due]
    assert [pauses_of(store, clock, 3) for store in stores] == [[0.0, 6.0, 6.0], [0.0, 2.0, 2.0]]
    assert timedelta(minutes=5) == LATE


def test_being_far_behind_is_said(clock: HandClock) -> None:
    """A line with how far, not more than one a minute, and one when it is over; a little behind is nothing to say."""
    lines: list[tuple[str, str, object]] = []
    logs = LoggerSystem(
        ["storage"], built_in=lambda level, message, event: lines.append((level.name, message, event.get("detail")))
    )
    late = Purged({"sessions": BUDGET}, complete=False, oldest_due=clock() - timedelta(hours=5))
    soon = Purged({"sessions": BUDGET}, complete=False, oldest_due=clock() - timedelta(minutes=4))
    store = Scripted(soon, late, late, late, soon, Purged({}, complete=True), takes=40.0)
    janitor = Janitor(cast(Store, store), logs.get_logger("storage"), clock=clock, monotonic=store.monotonic, breath=0)
    for _ in range(7):
        janitor.round()
    behind = ("INFO", "forgetting is behind", "the oldest has waited for 5:00:00")
    assert lines == [behind, behind, ("INFO", "forgetting has caught up", None)]
