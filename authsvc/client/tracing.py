"""The caller's trace goes on in the service, where opentelemetry is installed: the only module here that imports it."""

from __future__ import annotations

from collections.abc import Callable

Metadata = tuple[tuple[str, str], ...]
TraceContext = Callable[[], Metadata]


def trace_context() -> TraceContext:
    """Gives a call's metadata of W3C Trace Context, ``traceparent`` and ``tracestate``: those of the span that is
    current where the call is made. Nothing where there is none, or without opentelemetry."""
    try:
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - an extra
            TraceContextTextMapPropagator,
        )
    except ImportError:
        return tuple
    inject = TraceContextTextMapPropagator().inject

    def metadata() -> Metadata:
        carrier: dict[str, str] = {}
        inject(carrier)
        return tuple(carrier.items())

    return metadata
