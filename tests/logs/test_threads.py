"""Threads: logging while others configure, and lines that stay whole."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from threading import Barrier, Event, Thread

import pytest

from authsvc.logs import JsonLines, Level, LoggerSystem
from tests.logs.keeping import Keeping, system

THREADS = 8


@pytest.fixture
def busy() -> Iterator[None]:
    """Threads take turns after a few instructions instead of after 5 ms."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def _mixed(verbose: Keeping, quiet: Keeping) -> bool:
    """Whether `quiet`, which is only ever set together with level error, was given a debug event."""
    assert verbose.calls
    assert quiet.calls
    return Level.DEBUG in {level for level, _, _ in quiet.calls}


def test_changes_are_seen_whole(busy: None) -> None:
    """A change of level and sink together is seen together by calls on other threads, and breaks none."""
    verbose, quiet = Keeping(), Keeping()
    logs = system()
    states = cycle([{"level": "debug", "sink": verbose}, {"level": "error", "sink": quiet}])
    log, stop, faults = logs.get_logger("storage"), Event(), []

    def write() -> None:
        try:
            while not stop.is_set():
                log.debug("x", count=1)
                log.error("x", count=1)
        except Exception as fault:  # noqa: BLE001 - shown by the assertion below
            faults.append(fault)

    logs.configure_loggers({"storage": next(states)})  # type: ignore[dict-item]
    writers = [Thread(target=write) for _ in range(THREADS)]
    for writer in writers:
        writer.start()
    changes = 0
    while changes < 400 or not (verbose.calls and quiet.calls):
        logs.configure_loggers({"storage": next(states)})  # type: ignore[dict-item]
        logs.register_scopes(f"scope{changes % 50}")
        changes += 1
    stop.set()
    for writer in writers:
        writer.join()
    assert faults == []
    assert not _mixed(verbose, quiet)


def test_control_two_changes_are_seen_mixed() -> None:
    """The same observation notices a level and a sink that were changed one after the other."""
    verbose, quiet = Keeping(), Keeping()
    logs = system()
    log = logs.get_logger("storage")
    logs.configure_loggers({"storage": {"level": "debug", "sink": verbose}})
    log.debug("x")
    logs.configure_loggers({"storage": {"sink": quiet}})
    log.debug("x")
    logs.configure_loggers({"storage": {"level": "error"}})
    assert _mixed(verbose, quiet)


def test_no_change_is_lost(busy: None) -> None:
    """No thread's change is undone by the changes that others make to other scopes at the same time."""
    scopes = [f"scope{n}" for n in range(THREADS)]
    logs = LoggerSystem(scopes, built_in=Keeping())
    start = Barrier(THREADS)

    def undone(scope: str) -> int:
        start.wait()
        count = 0
        for level in [*Level] * 40:
            logs.configure_loggers({scope: {"level": level}})
            count += logs.configured_levels().get(scope) is not level
        return count

    with ThreadPoolExecutor(THREADS) as pool:
        assert sum(pool.map(undone, scopes)) == 0
    assert logs.configured_levels() == dict.fromkeys(scopes, Level.ERROR)


def _from_threads(write: Callable[[int], object]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(write, range(THREADS)))


def _whole_lines(path: Path) -> int:
    """How many lines read as JSON and are of one thread throughout; -1 if any is not."""
    events = []
    for line in path.read_text().splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            return -1
    return len(events) if all(event["target"] == str(event["count"]) * 400 for event in events) else -1


def test_lines_stay_whole(tmp_path: Path, busy: None) -> None:
    """Lines that threads write at the same time do not mix."""
    with (tmp_path / "log").open("w") as stream:
        log = LoggerSystem(["rpc"], built_in=JsonLines(stream)).get_logger("rpc")
        start = Barrier(THREADS)

        def write(number: int) -> None:
            start.wait()
            for _ in range(200):
                log.info("x", count=number, target=str(number) * 400)

        _from_threads(write)
    assert _whole_lines(tmp_path / "log") == THREADS * 200


def test_control_lines_in_two_writes_mix(tmp_path: Path) -> None:
    """The same reading notices lines whose halves were written one after the other."""
    half = Barrier(THREADS)
    with (tmp_path / "log").open("wb", buffering=0) as stream:

        def write(number: int) -> None:
            line = json.dumps({"count": number, "target": str(number) * 400}).encode() + b"\n"
            stream.write(line[:200])
            half.wait()
            stream.write(line[200:])

        _from_threads(write)
    assert _whole_lines(tmp_path / "log") == -1


def test_a_throwing_sink_is_reported_once_by_many_threads(busy: None) -> None:
    """However many threads meet a throwing sink at once, one report is made."""
    rounds = 200
    built_in = Keeping()
    logs = system(built_in)
    log = logs.get_logger("rpc")

    def configure() -> None:
        def throws(*_args: object) -> None:
            raise OSError

        logs.configure_loggers({"rpc": {"sink": throws}})

    start = Barrier(THREADS, configure)

    def write(_number: int) -> None:
        for _ in range(rounds):
            start.wait()
            log.info("x")

    _from_threads(write)
    assert len(built_in.calls) == rounds
