"""What goes on in the child of a fork, and what says that it cannot: each in a process of its own that really forks."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread

import pytest

from authsvc.client import AlarmThread, AuthClient, TokenManager, TokenProvider, UserClient
from authsvc.client.course import PLACES
from authsvc.clock import system_clock
from authsvc.v1 import auth_pb2
from tests.client.tokens.made import Provider, living
from tests.conftest import HandClock, RunningServer

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = timedelta(seconds=20)


@pytest.fixture
def clock() -> HandClock:
    """The server's clock begins at the time of the processes here, which have no other."""
    return HandClock(system_clock())


def forking(part: Callable[..., None], *words: str) -> None:
    """Run that part of this module in a new process, which forks; a child that fails, or hangs, fails the test."""
    program = f"import sys; from {__name__} import {part.__name__}; {part.__name__}(*sys.argv[1:])"
    ended = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr


def in_the_child(check: Callable[[], None]) -> None:
    """Fork, and end this process badly when the check fails in the child."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            check()
            code = 0
        except BaseException:  # noqa: BLE001 - nothing of the parent's is to run in the child
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def sign_in(client: AuthClient) -> str:
    """The refresh token of a session."""
    user = auth_pb2.User(id="sara")
    return client.issue_token(auth_pb2.IssueTokenRequest(api_key="dev", user=user, refreshable=True)).refresh_token


def a_manager_goes_on() -> None:
    """With a pause to make, though the thread that made the parent's is gone."""
    first, second = living(system_clock), living(system_clock)
    provider = Provider([ValueError("not yet"), second])
    manager = TokenManager("sara", provider, token=first)

    def check() -> None:
        assert manager.token() == first
        assert manager.renewed(first, timeout=PATIENCE) == second

    in_the_child(check)
    check()


def locks_are_left_behind() -> None:
    """Held while the parent forks, with a load under way that nobody in the child will end."""
    parent, asked, never, text = os.getpid(), Event(), Event(), living(system_clock)

    def provide(_: str) -> str:
        if os.getpid() == parent:
            asked.set()
            never.wait()
        return text

    alarm = AlarmThread()
    manager = TokenManager("sara", provide, alarm=alarm)
    Thread(target=manager.token, daemon=True).start()
    assert asked.wait(20)

    def check() -> None:
        assert manager.token(timeout=PATIENCE) == text
        manager.close()

    with manager._lock, alarm._changed:
        in_the_child(check)


def clients_say_so(target: str, credential: str) -> None:
    """One that was used; one that was only made, and one that is made there, are as good as any."""
    used, unused = AuthClient(target, credential), AuthClient(target, credential)
    provider = TokenProvider.session(sign_in(used))
    user = UserClient.get_or_create("dev", "sara", target=target, token_provider=provider, credential=credential)
    text = user.token()

    def check() -> None:
        for use in (lambda: sign_in(used), user.token, user.connect_user, lambda: user.renewed(text)):
            with pytest.raises(RuntimeError, match="the client was used before the fork: make one in the child"):
                use()
        with UserClient.get_or_create("dev", "sara", target=target, token_provider=living_again) as own:
            assert own is not user
            assert own.token()
        user.close()
        used.close()
        for good in (unused, AuthClient(target, credential)):
            with good:
                assert sign_in(good)
                with pytest.raises(RuntimeError, match="the session was used before the fork"):
                    TokenManager("sara", provider, client=good, api_key="dev").token()

    for _ in range(PLACES):  # as many calls are in flight as there may be
        used._calls._places.acquire()
    with used._calls._lines._lock, user._lock:
        in_the_child(check)
    used._calls._places.release(PLACES)
    assert user.renewed(text) != text
    assert sign_in(used)


def living_again(user: str) -> str:
    """A provider that needs nobody."""
    return living(system_clock, user)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_manager_goes_on_in_the_child() -> None:
    """Its alarms ring there too, and a provider that failed is asked again."""
    forking(a_manager_goes_on)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_what_the_parent_holds_is_not_waited_for() -> None:
    """Neither a lock that another thread of the parent held, nor a load that it was making."""
    forking(locks_are_left_behind)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_clients_that_were_used_say_that_they_cannot_be_in_the_child(server: RunningServer) -> None:
    """Instead of a call that never ends, or a session that two processes turn; the parent goes on as before."""
    forking(clients_say_so, server.target, server.credential)
