"""What is measured and traced of the parts that must not know who does; and whether spans are wanted at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from authsvc.errors import Reason
from authsvc.logs import Logger
from authsvc.metrics import CacheState, JanitorState, Metrics
from authsvc.model import APP_ALGORITHMS, TokenStatus
from authsvc.operations.janitor import TABLES
from authsvc.rpc.remembered import RememberedAnswers
from authsvc.signing.jws import sign_compact
from authsvc.signing.keys import SigningKey
from authsvc.storage.base import Store
from authsvc.tokens.mint import Sign
from authsvc.tokens.refresh import Outcome
from authsvc.verify.signatures import VerifiedSignatures

if TYPE_CHECKING:
    from authsvc.rpc.tracing import Tracing  # with its library, which is an extra

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def make_metrics() -> Metrics:
    """The numbers of one server, with every label there can be."""
    metrics = Metrics(reasons=Reason, statuses=TokenStatus, algorithms=APP_ALGORITHMS, outcomes=Outcome)
    metrics.janitor = lambda: JanitorState(dict.fromkeys(TABLES, 0))
    return metrics


def cache_state(signatures: VerifiedSignatures, answers: RememberedAnswers) -> Callable[[], CacheState]:
    """Reads what the verifier's memory of signatures has counted, and how often not even that was asked."""
    return lambda: CacheState(signatures.hits + answers.hits, signatures.misses, len(signatures))


def observed_sign(metrics: Metrics, tracing: Tracing | None) -> Sign:
    """Signing that is timed, and traced where spans are wanted."""
    observe = metrics.signing.observe

    def sign_timed(key: SigningKey, *, typ: str, payload: bytes) -> str:
        started = time.perf_counter()
        text = sign_compact(key, typ=typ, payload=payload)
        observe(key.algorithm, time.perf_counter() - started)
        return text

    return sign_timed if tracing is None else tracing.signing(sign_timed)


def observed_store(store: Store, tracing: Tracing | None) -> Store:
    """The store, traced where spans are wanted."""
    return store if tracing is None else tracing.store(store)


@contextmanager
def open_tracing(environ: Mapping[str, str], log: Logger) -> Iterator[Tracing | None]:
    """The spans that the standard OTEL_* variables ask for; None where they do not, or the extra is not installed."""
    tracing = _exporting(log) if wants_spans(environ) and _can_be_sent(environ, log) else None
    try:
        yield tracing
    finally:
        if tracing is not None:
            tracing.close()


def wants_spans(environ: Mapping[str, str]) -> bool:
    """OTEL_TRACES_EXPORTER=otlp, or an OTLP endpoint; and neither ``none`` nor OTEL_SDK_DISABLED against it."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = environ.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporters:
        return "otlp" in (name.strip() for name in exporters.split(","))
    return any(environ.get(name) for name in _ENDPOINTS)


def _can_be_sent(environ: Mapping[str, str], log: Logger) -> bool:
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), "grpc")
    if protocol != "grpc":
        log.warn("no spans: they are sent by OTLP over gRPC alone", setting="OTEL_EXPORTER_OTLP_PROTOCOL")
    return protocol == "grpc"


def _exporting(log: Logger) -> Tracing | None:
    try:
        from authsvc.rpc import tracing
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "opentelemetry":
            raise
        log.warn("no spans: OTEL_* asks for them and the extra is missing: pip install 'authsvc[otel]'")
        return None
    return tracing.exporting(log)
