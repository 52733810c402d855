"""OpenTelemetry spans: one for each call, and in it one for each signature and each use of the store.

The only module of the server that imports opentelemetry, which is an extra: whoever imports this one has asked for
spans. Nothing global is set; a span never holds what an exception says, nor anything of a request but its app.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial, wraps
from typing import Any, cast

import grpc
from google.protobuf.message import Message
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.textmap import Getter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from authsvc import __version__
from authsvc.logs import Logger, shown
from authsvc.rpc.call import Call, Metadata
from authsvc.rpc.interceptors.step import Interceptor, Proceed
from authsvc.signing.keys import SigningKey
from authsvc.storage.base import Store
from authsvc.tokens.mint import Sign

UNKNOWN = "unknown"
"""The name of the span of a call whose method is not there: names that callers make up would be without end."""

LAST_SECONDS = 2.0
"""How long the end of the server waits for its last spans to be sent."""

# Of a server's codes, those that are its own fault (OpenTelemetry semantic conventions for RPC, gRPC).
_FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_NOT_TRACED = frozenset({"close", "listen"})


class Tracing(Interceptor):
    """Makes the spans of a server; ``processor`` is where they go."""

    def __init__(self, processor: SpanProcessor) -> None:
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("authsvc", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def close(self) -> None:
        """Send what is waiting, and end."""
        self._provider.shutdown()

    def serve(self, call: Call, proceed: Proceed) -> Message:
        """Let the call pass within its span, which is the parent of all that is made on this thread."""
        span = self._start(call)
        try:
            with trace.use_span(span, record_exception=False, set_status_on_exception=False):
                return proceed(call)
        finally:
            _end(call, span)

    def follow(self, call: Call) -> None:
        """Make the span of a call that outlives the function it began in."""
        over = partial(_end, call, self._start(call))
        if not call.context.add_callback(over):
            over()

    def signing(self, sign: Sign) -> Sign:
        """``sign``, each time within a span of its own."""

        def sign_traced(key: SigningKey, *, typ: str, payload: bytes) -> str:
            with self._child("sign", {"authsvc.algorithm": key.algorithm.value}):
                return sign(key, typ=typ, payload=payload)

        return sign_traced

    def store(self, store: Store) -> Store:
        """``store``, each use of it within a span of its own."""
        return cast(Store, _TracedStore(store, self._child))

    def _start(self, call: Call) -> Span:
        known = call.method is not None
        service, _, method = call.name[1:].rpartition("/")
        names = {"rpc.service": service, "rpc.method": method} if known else {}
        span = self._tracer.start_span(
            call.name[1:] if known else UNKNOWN,
            context=self._propagator.extract(call.metadata, Context(), _MetadataGetter()),
            kind=SpanKind.SERVER,
            attributes={"rpc.system": "grpc", **names},
            start_time=time.time_ns() - int((time.perf_counter() - call.started) * 1e9),
        )
        call.trace_id = trace.format_trace_id(span.get_span_context().trace_id)
        return span

    @contextmanager
    def _child(self, name: str, attributes: Mapping[str, str] | None = None) -> Iterator[None]:
        """A span within the one of the call on this thread; none where there is none, or where it is not recorded."""
        if not trace.get_current_span().is_recording():
            yield
            return
        with self._tracer.start_as_current_span(
            name, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except BaseException as fault:
                span.set_attribute("error.type", type(fault).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise


def exporting(log: Logger) -> Tracing:
    """Spans that are sent by OTLP where the OTEL_* variables of the process say; ``log`` hears when that fails."""
    _tell_on(log)
    return Tracing(_Sending(OTLPSpanExporter()))


class _Sending(BatchSpanProcessor):
    """Sends spans from a thread of its own; at the end it sends what is left, for a short while."""

    def __init__(self, exporter: OTLPSpanExporter) -> None:
        super().__init__(exporter)
        self._otlp = exporter

    def shutdown(self) -> None:
        """The library would wait half a minute for a collector that is not there, and the server with it."""
        give_up = threading.Timer(LAST_SECONDS, self._otlp.shutdown)
        give_up.start()
        super().shutdown()  # type: ignore[no-untyped-call]
        give_up.cancel()


class _MetadataGetter(Getter[Metadata]):
    """How the propagator reads a call's metadata."""

    def get(self, carrier: Metadata, key: str) -> list[str] | None:
        return [value for name, value in carrier if name == key and isinstance(value, str)] or None

    def keys(self, carrier: Metadata) -> list[str]:
        return [name for name, _ in carrier]


class _TracedStore:
    """Passes everything on to a store."""

    def __init__(self, store: Store, child: Callable[[str], Any]) -> None:
        self._store = store
        self._child = child

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._store, name)
        if name in _NOT_TRACED or not callable(attribute):
            return attribute

        @wraps(attribute)
        def traced(*arguments: Any, **named: Any) -> Any:
            with self._child(f"store.{name}"):
                return attribute(*arguments, **named)

        return traced


class _Told(logging.Handler):
    """Passes on that the library has something to say, and not the values it says it with: they may be a caller's."""

    def __init__(self, log: Logger) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        template = record.msg if record.args else ""  # without values it may have been put together with them
        self._log.warn("tracing fault", path_name=f"{record.name}:{record.lineno}", detail=template)


def _tell_on(log: Logger) -> None:
    """The library logs by the standard library, which would print on stderr: between our lines, and unredacted."""
    library = logging.getLogger("opentelemetry")
    library.handlers = [_Told(log)]
    library.propagate = False


def _resource() -> Resource:
    """What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say, and our own name where they say none."""
    ours = Resource({SERVICE_NAME: "authsvc", SERVICE_VERSION: __version__})
    return Resource.create().merge(ours).merge(OTELResourceDetector().detect())


def _end(call: Call, span: Span) -> None:
    code = call.code
    span.set_attribute("rpc.grpc.status_code", code.value[0])
    if call.reason:
        span.set_attribute("authsvc.reason", str(call.reason))
    if call.app:
        span.set_attribute("authsvc.app", str(shown(call.app)))
    if code in _FAULTS:
        span.set_status(Status(StatusCode.ERROR))
    span.end()
