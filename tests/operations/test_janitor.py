"""What no longer matters is forgotten by itself, within a budget, and how far behind that is can be seen."""

from __future__ import annotations

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
from authsvc.operations.janitor import BUDGET, ROWS, Janitor
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

    def __init__(self, *answers: Purged | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0

    def purge(self, *, limit: int, keep_revisions: int) -> Purged:
        assert (limit, keep_revisions > 0) == (ROWS, True)
        self.asked += 1
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
