"""A verifier does not come along when its process forks, and says so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from authsvc.clock import system_clock
from tests.client.tokens.made import Machine
from tests.client.verifier.made import token
from tests.client.verifier.peer import running_peer

# In a process of its own: this one has threads that a child would not have.
PROGRAM = """if True:
    import asyncio, os, sys
    from datetime import timedelta
    from authsvc.client import AsyncAuthClient, AsyncTokenVerifier, AuthClient, TokenVerifier, TrustStale

    target, token, when_stale = sys.argv[1:]
    options = {"when_stale": when_stale, "max_staleness": timedelta(days=1)}

    def say(who, outcome):
        os.write(1, f"{who}: {outcome}\\n".encode())

    def outcome(verify):
        try:
            return verify().user_id
        except TrustStale as error:
            return error.message

    def in_child(work):
        child = os.fork()
        if child == 0:
            work()
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        assert status == 0, status

    async def tasks():
        async with (
            AsyncAuthClient(target, "ask1_any") as client,
            AsyncTokenVerifier(client, "acme", **options) as verifier,
            AsyncTokenVerifier(client, "mute", **options) as unready,
        ):
            def run(work):  # there is no loop that could run it, and nothing in it waits
                try:
                    work.send(None)
                except StopIteration as done:
                    return done.value
                raise AssertionError("it waits")

            def child():
                assert not run(unready.wait_ready(timedelta(hours=1)))
                say("child of tasks", outcome(lambda: run(verifier.verify(token))))
                say("child of tasks", (verifier.stale, run(verifier.wait_ready()), run(verifier.close())))

            say("tasks", (await verifier.verify(token)).user_id)
            in_child(child)
            say("tasks", (await verifier.verify(token)).user_id)

    with (
        AuthClient(target, "ask1_any") as client,
        TokenVerifier(client, "acme", **options) as verifier,
        TokenVerifier(client, "mute", **options) as unready,
    ):
        def child():
            assert not unready.wait_ready(timedelta(hours=1))
            say("child of threads", outcome(lambda: verifier.verify(token)))
            say("child of threads", (verifier.stale, verifier.wait_ready(), verifier.close()))

        say("threads", verifier.verify(token).user_id)
        in_child(child)
        say("threads", verifier.verify(token).user_id)
    asyncio.run(tasks())
"""
# With gRPC's own handlers a child that was forked beside its threads did not always live.
ENVIRONMENT = {**os.environ, "GRPC_ENABLE_FORK_SUPPORT": "false"}
MADE_BEFORE = "the process has forked since this verifier was made, and nothing is heard here: make it after the fork"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
@pytest.mark.parametrize("when_stale", ["fail_closed", "ask_service"])
def test_a_child_is_told_to_make_its_own(when_stale: str) -> None:
    """At once, though the token was found good before and what was known is fresh; the parent goes on."""
    machine = Machine()
    machine.clock.move(seconds=(system_clock() - machine.clock()).total_seconds())
    with running_peer(machine) as peer:
        command = [sys.executable, "-c", PROGRAM, peer.target, token(machine.clock), when_stale]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "threads: sara",
        f"child of threads: {MADE_BEFORE}",
        "child of threads: (True, False, None)",
        "threads: sara",
        "tasks: sara",
        f"child of tasks: {MADE_BEFORE}",
        "child of tasks: (True, False, None)",
        "tasks: sara",
    ]
