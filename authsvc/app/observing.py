"""What is measured of the parts that must not know who measures."""

from __future__ import annotations

import time
from collections.abc import Callable

from authsvc.errors import Reason
from authsvc.metrics import CacheState, Metrics
from authsvc.model import APP_ALGORITHMS, TokenStatus
from authsvc.signing.keys import SigningKey
from authsvc.tokens.mint import Sign
from authsvc.tokens.refresh import Outcome
from authsvc.verify.verifier import Verifier


def make_metrics() -> Metrics:
    """The numbers of one server, with every label there can be."""
    return Metrics(reasons=Reason, statuses=TokenStatus, algorithms=APP_ALGORITHMS, outcomes=Outcome)


def timed(sign: Sign, metrics: Metrics) -> Sign:
    """Sign, and note how long it took."""
    observe = metrics.signing.observe

    def sign_timed(key: SigningKey, *, typ: str, payload: bytes) -> str:
        started = time.perf_counter()
        text = sign(key, typ=typ, payload=payload)
        observe(key.algorithm, time.perf_counter() - started)
        return text

    return sign_timed


def cache_state(verifier: Verifier) -> Callable[[], CacheState]:
    """Reads what the verifier's memory of signatures has counted."""
    memory = verifier.signatures
    return lambda: CacheState(memory.hits, memory.misses, len(memory))
