"""The end of an awaited call is the peer's word, whatever gRPC says last."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio

from authsvc.client.attaching.ended import End
from tests.client.attaching.calling import OWN_CHANNEL
from tests.client.attaching.peer import running_peer

INTERNAL, EXPIRED = (13, "Internal error from Core"), (16, "EXPIRED")


class Call:
    """A call whose status changes, as one does whose message could not be sent."""

    def __init__(self) -> None:
        self._cython_call = SimpleNamespace(_status=None)
        self._listeners: list[Any] = []

    def add_done_callback(self, listen: Any) -> None:
        self._listeners.append(listen)

    def ends(self, code: int, details: str) -> None:
        """Another status, announced as gRPC does."""
        status = SimpleNamespace(code=lambda: code, details=lambda: details, trailing_metadata=tuple)
        self._cython_call._status = status
        for listen in self._listeners:
            listen(self)

    async def code(self) -> grpc.StatusCode:
        return {13: grpc.StatusCode.INTERNAL, 16: grpc.StatusCode.UNAUTHENTICATED}[self._cython_call._status.code()]

    async def details(self) -> str:
        details: str = self._cython_call._status.details()
        return details

    async def trailing_metadata(self) -> tuple[()]:
        return ()


def test_the_peers_word_is_heard_in_any_order() -> None:
    """Before or after a message that could not be sent."""
    for statuses in ((EXPIRED, INTERNAL), (INTERNAL, EXPIRED), (EXPIRED,)):
        call = Call()
        end = End(call)
        for status in statuses:
            call.ends(*status)
        ended = asyncio.run(end.wait())
        assert (ended.code(), ended.details()) == (grpc.StatusCode.UNAUTHENTICATED, "EXPIRED")


def test_where_there_is_no_word_the_end_is_told_as_it_is() -> None:
    """A peer that is gone for good."""
    call = Call()
    end = End(call)
    call.ends(*INTERNAL)
    assert asyncio.run(end.wait()).code() is grpc.StatusCode.INTERNAL


def test_grpc_still_shows_it() -> None:
    """The control: the private attribute is there in the version of grpcio that is installed."""

    async def heard() -> Any:
        with running_peer() as peer:
            async with grpc.aio.insecure_channel(peer.target, OWN_CHANNEL) as channel:
                call: Any = channel.stream_stream("/peer.Echo/StreamStream")(timeout=20)
                end = End(call)
                await end.wait()
                return end._heard

    found = asyncio.run(heard())
    assert found is not None
    assert (found.code(), found.details()) == (grpc.StatusCode.UNAUTHENTICATED, "EXPIRED")
    assert dict(found.trailing_metadata())["grpc-status-details-bin"]
