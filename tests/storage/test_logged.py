"""What the log says of a store: changes, reading and refusals at their levels, and what is slow without being asked."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from authsvc.clock import Deadline
from authsvc.errors import DeadlinePassed
from authsvc.logs import JsonLines, LoggerSystem
from authsvc.metrics.store import StoreMetrics
from authsvc.storage.base import Store
from authsvc.storage.logged import CHANGES, READS, WHOLE, StoreLines, logged_store
from tests.storage.contract.methods import TIMED, UNTIMED
from tests.storage.places import SettableClock, SqlitePlace
from tests.storage.records import keep_app, keep_session


class Scene:
    """A logged store with hands on its watch: each use of it takes ``takes`` seconds."""

    def __init__(self, store: Store, level: str) -> None:
        self.stream, self.now, self.takes = io.StringIO(), 0.0, 0.0
        self.logs = LoggerSystem(["storage"], built_in=JsonLines(self.stream))
        self.logs.configure_levels({"storage": level})
        self.log = self.logs.get_logger("storage")
        self.store = logged_store(store, self.log, seconds=self.watch)

    def watch(self) -> float:
        self.now += self.takes / 2  # it is looked at before and after, and once more for what is slow
        return self.now

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def said(self, message: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["message"] == message]


StartScene = Callable[..., Scene]


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlitePlace]:
    place = SqlitePlace(tmp_path_factory.mktemp("logged"))
    yield place
    place.close()


@pytest.fixture
def scene(place: SqlitePlace) -> StartScene:
    return lambda level="trace": Scene(place.open(clock=SettableClock()), level)


def test_every_method_of_the_contract_is_one_that_is_told() -> None:
    """A change, a look, or a reading of everything; but for what is no use of the store."""
    assert TIMED.keys() | UNTIMED.keys() == CHANGES | READS | WHOLE
    assert len(CHANGES) + len(READS) + len(WHOLE) == len(TIMED) + len(UNTIMED), "none is there twice"


@pytest.mark.parametrize(
    ("level", "messages"), [("trace", {"store changed", "store read"}), ("debug", {"store changed"}), ("info", set())]
)
def test_changes_at_debug_and_looks_at_trace(scene: StartScene, level: str, messages: set[str]) -> None:
    """At info nothing is said of what goes well, at debug each change, at trace each look as well."""
    seen = scene(level)
    session = keep_session(seen.store)
    seen.store.session_states([session.id])
    assert {line["message"] for line in seen.lines} == messages
    if level == "trace":
        assert [line["count"] for line in seen.lines if line["action"] in ("open_session", "session_states")] == [1, 1]


def test_several_are_counted(scene: StartScene) -> None:
    """A use that is about several things says how many."""
    seen = scene()
    sessions = [keep_session(seen.store) for _ in range(3)]
    seen.store.session_states([session.id for session in sessions])
    assert seen.lines[-1]["count"] == 3


def test_a_refusal_says_why(scene: StartScene) -> None:
    """What the store refused is told with its reason, and raised as it was."""
    seen = scene("debug")
    with pytest.raises(DeadlinePassed):
        seen.store.ping(deadline=Deadline(0.0))
    (line,) = seen.said("store refused")
    assert (line["action"], line["reason"]) == ("ping", "DEADLINE_EXCEEDED")


def test_what_is_slow_is_said_without_being_asked_for(scene: StartScene) -> None:
    """From a second on a use is a warning at any level, at most one in ten seconds, with how many there were."""
    seen = scene("warn")
    keep_app(seen.store)
    assert seen.lines == []
    seen.takes = 2.0
    for _ in range(9):  # each looks at the watch three times: before, after, and to say it
        seen.store.ping()
    slow = seen.said("store was slow")
    assert [(line["level"], line["action"], line["elapsed_ms"]) for line in slow] == [("warn", "ping", 1000.0)] * 3
    assert [line["count"] for line in slow] == [1, 4, 4]


def test_reading_everything_may_take_its_time(scene: StartScene) -> None:
    """At the start, with a million rows, that is no fault."""
    seen = scene("warn")
    seen.takes = 60.0
    seen.store.trust_state()
    assert seen.lines == []


def test_groups_are_told_and_counted(scene: StartScene) -> None:
    """A group says how many changes it held and how long the disk took; a slow one and a failed one are warnings."""
    seen, metrics = scene("debug"), StoreMetrics()
    lines = StoreLines(seen.log, metrics, seconds=seen.watch)
    lines.committed(7, 0.002)
    assert [(line["message"], line["count"], line["elapsed_ms"]) for line in seen.lines] == [
        ("changes committed", 7, 2.0)
    ]
    lines.committed(1, 1.5)
    lines.failed()
    lines.failed()
    assert [line["elapsed_ms"] for line in seen.said("a commit was slow")] == [1500.0]
    assert len(seen.said("changes could not be made durable")) == 1
    exposition = {sample.labels.get("outcome"): sample.value for one in metrics.families() for sample in one.samples}
    assert (exposition["committed"], exposition["failed"]) == (2, 2)
