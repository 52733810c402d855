"""A collector of OTLP on loopback: what OpenTelemetry's own contract makes of what is sent to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span


@dataclass
class Collector(TraceServiceServicer):
    """Keeps what it is sent."""

    received: list[ExportTraceServiceRequest] = field(default_factory=list)
    endpoint: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def Export(  # noqa: N802 - the contract's name
        self, request: ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> ExportTraceServiceResponse:
        with self._lock:
            self.received.append(request)
        return ExportTraceServiceResponse()

    @property
    def resources(self) -> list[ResourceSpans]:
        return [resource for request in self.received for resource in request.resource_spans]

    @property
    def spans(self) -> list[Span]:
        return [span for one in self.resources for scope in one.scope_spans for span in scope.spans]


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector that listens for as long as the block runs."""
    kept = Collector()
    server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    add_TraceServiceServicer_to_server(kept, server)  # type: ignore[no-untyped-call]
    kept.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield kept
    finally:
        server.stop(0).wait()
