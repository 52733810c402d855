"""One thread rings all alarms of those who share it, and is there only while somebody waits."""

from __future__ import annotations

import threading
from datetime import timedelta
from queue import SimpleQueue

import pytest

from authsvc.client.tokens.alarms import AlarmThread
from authsvc.client.tokens.manager import TokenManager
from authsvc.clock import system_clock
from tests.client.tokens.made import Provider, living, made_token

SOON, LATER = timedelta(milliseconds=1), timedelta(milliseconds=30)


def alarm_threads() -> set[threading.Thread]:
    """The threads of alarms that are there."""
    return {thread for thread in threading.enumerate() if thread.name == "authsvc-client-alarm"}


def test_alarms_ring_when_it_is_time() -> None:
    """Whichever was set first, the nearest rings first; what was called off does not."""
    alarm, rung = AlarmThread(), SimpleQueue[str]()
    alarm(LATER, lambda: rung.put("later"))
    call_off = alarm(timedelta(milliseconds=10), lambda: rung.put("called off"))
    alarm(SOON, lambda: rung.put("soon"))
    call_off()
    call_off()
    assert [rung.get(timeout=10) for _ in range(2)] == ["soon", "later"]
    assert rung.empty()


def test_the_thread_ends_when_nobody_waits_and_comes_back() -> None:
    """It is a daemon besides: a process never waits for it."""
    alarm, before = AlarmThread(), alarm_threads()
    for _ in range(2):
        rung = threading.Event()
        call_off = alarm(timedelta(hours=1), rung.clear)
        (thread,) = alarm_threads() - before
        assert thread.daemon
        alarm(SOON, rung.set)
        assert rung.wait(10)
        assert thread.is_alive()
        call_off()
        thread.join(10)
        assert alarm_threads() <= before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_ring_that_fails_harms_no_other() -> None:
    """The failure is reported as that of any thread, and the next alarm rings."""
    alarm, rung = AlarmThread(), threading.Event()
    hold = alarm(timedelta(hours=1), rung.clear)

    def fail() -> None:
        raise RuntimeError("canary")

    alarm(SOON, fail)
    alarm(LATER, rung.set)
    assert rung.wait(10)
    hold()


def test_an_alarm_of_many_years_stops_no_other() -> None:
    """No wait is longer than the system can wait for."""
    alarm, rung, before = AlarmThread(), threading.Event(), alarm_threads()
    call_off = alarm(timedelta(days=100_000), rung.clear)
    (thread,) = alarm_threads() - before
    alarm(SOON, rung.set)
    assert rung.wait(10)
    assert thread.is_alive()
    call_off()
    thread.join(10)


@pytest.mark.parametrize("expires_at", [2**33, 2**40, 2**53])
def test_a_token_may_live_for_ages(expires_at: int) -> None:
    """Longer than dates reach: it is used, and no alarm is set for what nobody lives to see."""
    with TokenManager("sara", Provider(), token=made_token("sara", iat=1, exp=expires_at)) as manager:
        assert manager.token() == manager.peek()


def test_many_managers_share_one() -> None:
    """A hundred users, one thread; it goes when they do."""
    alarm, before = AlarmThread(), alarm_threads()
    managers = [TokenManager("sara", Provider(), token=living(system_clock), alarm=alarm) for _ in range(100)]
    (thread,) = alarm_threads() - before
    for manager in managers:
        manager.close()
    thread.join(10)
    assert not thread.is_alive()
