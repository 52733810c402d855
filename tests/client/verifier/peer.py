"""A real gRPC peer that says on its streams what a test says, and a verifier of either kind that follows it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from queue import SimpleQueue
from typing import Any

import grpc

from authsvc.client import AsyncAuthClient, AsyncTokenVerifier, AuthClient, LogOptions, TokenVerifier
from authsvc.v1 import trust_pb2 as v1
from authsvc.v1.trust_pb2_grpc import TrustServiceServicer, add_TrustServiceServicer_to_server
from tests.client.tokens.made import Machine
from tests.client.verifier.made import APP, policy

SECONDS = 30


class Peer(TrustServiceServicer):
    """Begins each stream of its app with ``beginning`` and says on the newest what ``say`` is given, and nothing else.

    It ends none.

    Its lines live, and it answers what it is asked with ``bundle``: only its streams may say nothing.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.target = ""
        self.beginning: list[v1.TrustUpdate] = self.snapshot()
        self.bundle = v1.GetTrustBundleResponse(policy=policy())
        self.opened: list[str] = []  # the cursors of all streams
        self.polled = 0
        self._streams: list[SimpleQueue[v1.TrustUpdate | None]] = []

    def update(self, cursor: str = "", **event: Any) -> v1.TrustUpdate:
        """An update as of now."""
        made = v1.TrustUpdate(cursor=cursor, **event)
        made.as_of.FromDatetime(self._machine.clock())
        return made

    def snapshot(self, known: v1.TrustPolicy | None = None) -> list[v1.TrustUpdate]:
        """A whole one as of now."""
        return [
            self.update(snapshot_start=v1.SnapshotStart()),
            self.update(policy=known or policy()),
            self.update("1-1", snapshot_end=v1.SnapshotEnd()),
        ]

    def say(self, *updates: v1.TrustUpdate) -> None:
        """Something on the newest stream."""
        for update in updates:
            self._streams[-1].put(update)

    def WatchTrustBundle(self, request: v1.WatchTrustBundleRequest, context: Any) -> Iterator[v1.TrustUpdate]:  # noqa: N802 - as generated
        """A stream; its thread is given back when the caller ends it."""
        said = SimpleQueue[v1.TrustUpdate | None]()
        if not context.add_callback(lambda: said.put(None)):
            return  # it was over before it began, and nobody would say so again
        self._streams.append(said)
        self.opened.append(request.cursor)
        yield from self.beginning if request.api_key == APP else ()
        yield from iter(said.get, None)

    def GetTrustBundle(self, request: v1.GetTrustBundleRequest, context: Any) -> v1.GetTrustBundleResponse:  # noqa: N802 - as generated
        """What is known, asked for."""
        self.polled += 1
        self.bundle.as_of.FromDatetime(self._machine.clock())
        return self.bundle


@contextmanager
def running_peer(machine: Machine) -> Iterator[Peer]:
    """Run one on loopback."""
    peer, server = Peer(machine), grpc.server(ThreadPoolExecutor(8))
    add_TrustServiceServicer_to_server(peer, server)
    peer.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield peer
    finally:
        server.stop(grace=0).wait()


class Held:
    """A verifier and its client: ``do`` makes of what either gives what it is, for those who wait."""

    def __init__(self, verifier: Any, client: Any, do: Callable[[Any], Any]) -> None:
        self.verifier = verifier
        self.client = client
        self._do = do

    @property
    def stale(self) -> bool:
        """Whether it is."""
        return bool(self.verifier.stale)

    def verify(self, token: str, **questions: Any) -> Any:
        """See ``TokenVerifier.verify``."""
        return self._do(self.verifier.verify(token, **questions))

    def ready(self) -> bool:
        """See ``TokenVerifier.wait_ready``."""
        return bool(self._do(self.verifier.wait_ready(timedelta(seconds=SECONDS))))

    def close(self) -> None:
        """Close the verifier alone."""
        self._do(self.verifier.close())

    def close_client(self) -> None:
        """Close the client under the verifier."""
        self._do(self.client.close())

    @property
    def follows(self) -> bool:
        """Whether anything still does."""
        if isinstance(self.verifier, TokenVerifier):
            return any(thread.is_alive() for thread in self.verifier._threads)
        return not self.verifier._task.done()


Hold = Callable[..., AbstractContextManager[Held]]
"""Makes a verifier of one kind that follows a target by the clocks of a machine."""


def _parts(machine: Machine, options: dict[str, Any]) -> dict[str, Any]:
    return {"clock": machine.clock, "monotonic": machine.monotonic, **options}


@contextmanager
def threads(
    target: str, machine: Machine, app: str = APP, *, logs: LogOptions | None = None, **options: Any
) -> Iterator[Held]:
    """A ``TokenVerifier``."""
    credential = options.pop("credential", "ask1_any")
    with (
        AuthClient(target, credential, log_options=logs) as client,
        TokenVerifier(client, app, **_parts(machine, options)) as verifier,
    ):
        yield Held(verifier, client, lambda done: done)


@contextmanager
def tasks(
    target: str, machine: Machine, app: str = APP, *, logs: LogOptions | None = None, **options: Any
) -> Iterator[Held]:
    """An ``AsyncTokenVerifier``, in the event loop of a thread."""
    credential, loop = options.pop("credential", "ask1_any"), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def do(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(SECONDS)

    async def make() -> Held:
        client = AsyncAuthClient(target, credential, log_options=logs)
        return Held(AsyncTokenVerifier(client, app, **_parts(machine, options)), client, do)

    held = do(make())
    try:
        yield held
    finally:
        held.close()
        held.close_client()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SECONDS)
        loop.close()


HOLDS: dict[str, Hold] = {"threads": threads, "tasks": tasks}
