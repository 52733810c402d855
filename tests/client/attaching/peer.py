"""Somebody else's gRPC service, with a method of each kind, that takes some tokens and refuses others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

KINDS = ("UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream")


def refusal(
    reason: str = "EXPIRED",
    *,
    domain: str = "authsvc",
    code: grpc.StatusCode = grpc.StatusCode.UNAUTHENTICATED,
    **metadata: str,
) -> grpc.Status:
    """The end of a call whose token is refused for that reason."""
    detail = Packed()
    detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata))
    return rpc_status.to_status(status_pb2.Status(code=code.value[0], message=reason, details=[detail]))


@dataclass
class Peer(grpc.GenericRpcHandler):
    """Answers calls that show a token it accepts with their own messages; to each stream it says ``hello`` first.

    ``refused_after`` so many messages were answered, where that is not at once. ``reads_first``: so many messages are
    read before the token is looked at, and that is done when ``may_look`` is set.
    """

    accepted: set[str] = field(default_factory=set)
    refusal: grpc.Status = field(default_factory=refusal)
    refused_after: int = 0
    reads_first: int = 0
    target: str = ""
    shown: list[str] = field(default_factory=list)
    times_left: list[float] = field(default_factory=list)
    header: str = "authorization"
    may_look: threading.Event | None = None

    def service(self, call_details: grpc.HandlerCallDetails) -> Any:
        """Serve the four methods."""
        handlers: dict[str, Callable[[], Any]] = {
            "UnaryUnary": lambda: grpc.unary_unary_rpc_method_handler(self._unary_unary),
            "UnaryStream": lambda: grpc.unary_stream_rpc_method_handler(self._unary_stream),
            "StreamUnary": lambda: grpc.stream_unary_rpc_method_handler(self._stream_unary),
            "StreamStream": lambda: grpc.stream_stream_rpc_method_handler(self._stream_stream),
        }
        return handlers[call_details.method.rpartition("/")[2]]()

    def _unary_unary(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self._check(context)
        return request

    def _unary_stream(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        for number, message in enumerate([b"hello", request, request]):
            if number == self.refused_after:
                self._check(context)
            yield message

    def _stream_unary(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        read = [next(requests) for _ in range(self.reads_first)]
        self._check(context)
        return b" ".join([*read, *requests])

    def _stream_stream(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        read = [next(requests) for _ in range(self.reads_first)]
        self._check(context)
        yield b"hello"
        yield from read
        yield from requests

    def _check(self, context: grpc.ServicerContext) -> None:
        if self.may_look is not None:
            self.may_look.wait(context.time_remaining())
        metadata = dict(context.invocation_metadata())
        self.shown.append(str(metadata.get(self.header, "")))
        self.times_left.append(context.time_remaining() or 0)
        if self.shown[-1].removeprefix("Bearer ") not in self.accepted:
            context.abort_with_status(self.refusal)


@contextmanager
def running_peer(peer: Peer | None = None) -> Iterator[Peer]:
    """Run one on loopback."""
    peer = Peer() if peer is None else peer
    server = grpc.server(ThreadPoolExecutor(4), handlers=[peer])
    peer.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield peer
    finally:
        server.stop(grace=0).wait()
