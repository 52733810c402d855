"""How an awaited call ended, in the peer's own words."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from authsvc.client.attaching.given_up import GIVEN_UP

# A message that is being sent while the peer ends the call fails, and gRPC puts that in the place of the peer's own
# status, before it is read or after it (grpcio 1.85). Each of the two is announced to those who wait to be called back,
# and can be seen in that moment.
_WRITE_FAILED = (grpc.StatusCode.INTERNAL, "Internal error from Core")
_LOOKS, _BETWEEN_LOOKS = 100, 0.01
_CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True, slots=True)
class EndedCall:
    """How a call ended, in the form of one whose callers wait."""

    _code: grpc.StatusCode
    _details: str
    _trailing_metadata: Any

    def code(self) -> grpc.StatusCode:
        """The status."""
        return self._code

    def details(self) -> str:
        """Its text."""
        return self._details

    def trailing_metadata(self) -> Any:
        """What came with it."""
        return self._trailing_metadata

    def error(self) -> grpc.aio.AioRpcError:
        """What callers of an awaited call are told."""
        return grpc.aio.AioRpcError(self._code, grpc.aio.Metadata(), self._trailing_metadata, self._details)

    @property
    def is_the_peers(self) -> bool:
        """Whether this is the peer's word, and not what a message that could not be sent leaves."""
        return (self._code, self._details) != _WRITE_FAILED


def given_up() -> EndedCall:
    """The end of a call that its caller did not want any more, before it was made again."""
    return EndedCall(grpc.StatusCode.CANCELLED, GIVEN_UP, grpc.aio.Metadata())


class End:
    """Hears how a call ends. Made when the call is, so that it misses nothing."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._heard: EndedCall | None = None
        call.add_done_callback(self._listen)

    async def wait(self) -> EndedCall:
        """How the call ended."""
        ended = await self._look()
        for _ in range(_LOOKS):
            if self._heard is not None or ended.is_the_peers:
                break
            await asyncio.sleep(_BETWEEN_LOOKS)
            ended = await self._look()
        return self._heard or ended

    def _listen(self, _: object) -> None:
        # Private to gRPC, which has no other way to it; where it is not there, what ``wait`` sees must do.
        status = getattr(getattr(self._call, "_cython_call", None), "_status", None)
        if status is not None and self._heard is None:
            trailers = grpc.aio.Metadata(*(status.trailing_metadata() or ()))
            ended = EndedCall(_CODES[status.code()], status.details() or "", trailers)
            self._heard = ended if ended.is_the_peers else None

    async def _look(self) -> EndedCall:
        # Together: asked one after the other they may tell of two ends.
        call = self._call
        code, details, trailers = await asyncio.gather(call.code(), call.details(), call.trailing_metadata())
        return EndedCall(code, details or "", trailers)
