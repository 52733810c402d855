"""Numbers that many threads add to."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authsvc.metrics import OTHER, Metrics
from authsvc.metrics.tallies import SECONDS
from tests.metrics.reading import scrape

THREADS, TIMES = 8, 2_000


def new_metrics() -> Metrics:
    """Metrics with a few labels of each kind."""
    metrics = Metrics(
        reasons=("OVERLOADED", "STALE"), statuses=("EXPIRED",), algorithms=("ES256", "HS256"), outcomes=("turned",)
    )
    metrics.calls.know(["/a.B/C", "/a.B/D"])
    return metrics


@pytest.fixture
def metrics() -> Metrics:
    return new_metrics()


@pytest.fixture
def impatient_interpreter() -> Iterator[None]:
    """Threads are switched as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


ADDS: dict[str, tuple[Callable[[Metrics], None], str, dict[str, str]]] = {
    "calls": (
        lambda metrics: metrics.calls.completed("/a.B/C", "OK", "", 0.001),
        "authsvc_calls_total",
        {"method": "/a.B/C", "code": "OK"},
    ),
    "latency": (
        lambda metrics: metrics.calls.completed("/a.B/C", "OK", "", 0.001),
        "authsvc_call_seconds_count",
        {"method": "/a.B/C"},
    ),
    "refusals": (
        lambda metrics: metrics.calls.completed("/a.B/C", "UNAVAILABLE", "STALE", 0.001),
        "authsvc_refusals_total",
        {"reason": "STALE"},
    ),
    "signing": (
        lambda metrics: metrics.signing.observe("ES256", 0.001),
        "authsvc_signing_seconds_bucket",
        {"algorithm": "ES256", "le": "0.001"},
    ),
    "batches": (lambda metrics: metrics.store.committed(3, 0.001), "authsvc_store_commit_seconds_count", {}),
}


@pytest.mark.parametrize("name", ADDS)
def test_no_addition_is_lost(metrics: Metrics, impatient_interpreter: None, name: str) -> None:
    """Eight threads that add at the same time are all counted."""
    add, sample, labels = ADDS[name]
    start = threading.Barrier(THREADS)

    def many() -> None:
        start.wait()
        for _ in range(TIMES):
            add(metrics)

    threads = [threading.Thread(target=many) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert scrape(metrics)(sample, **labels) == THREADS * TIMES


@given(st.lists(st.sampled_from((*SECONDS, 0.0, 99.0)) | st.floats(0, 100), max_size=20))
def test_histograms_are_those_of_prometheus(amounts: list[float]) -> None:
    """Buckets, count and sum are what prometheus_client's own histogram gives out, also on the bounds."""
    registry = prometheus_client.CollectorRegistry()
    own = prometheus_client.Histogram("reference", "x", ["algorithm"], buckets=SECONDS, registry=registry)
    metrics = new_metrics()
    own.labels("ES256")
    for amount in amounts:
        own.labels("ES256").observe(amount)
        metrics.signing.observe("ES256", amount)
    (family,) = registry.collect()
    told = scrape(metrics)
    for sample in family.samples:
        suffix = sample.name.removeprefix("reference")
        if suffix != "_created":
            assert told(f"authsvc_signing_seconds{suffix}", **sample.labels) == pytest.approx(sample.value)


def test_known_labels_are_told_before_they_are_used(metrics: Metrics) -> None:
    """Each known method, reason, algorithm and outcome is there with 0, so that its first use is an increase."""
    told = scrape(metrics)
    assert told("authsvc_calls_total", method="/a.B/D", code="OK") == 0
    assert told("authsvc_refusals_total", reason="STALE") == 0
    assert told("authsvc_signing_seconds_count", algorithm="HS256") == 0
    assert told("authsvc_refreshes_total", outcome="turned") == 0
    assert told("authsvc_store_batches_total", outcome="failed") == 0
    assert OTHER not in told.labels("authsvc_refusals_total", "reason")


def test_unknown_labels_share_one(metrics: Metrics) -> None:
    """A hundred names that nobody made known add one series to each metric, not a hundred."""
    for number in range(100):
        metrics.calls.completed(f"/a.B/X{number}", "UNIMPLEMENTED", f"REASON_{number}", 0.001)
        metrics.calls.completed("/a.B/C", "OK", f"STATUS_{number}", 0.001)
        metrics.signing.observe(f"XS{number}", 0.001)
        metrics.refreshes.add(f"outcome-{number}")
    told = scrape(metrics)
    assert told("authsvc_calls_total", method=OTHER, code="UNIMPLEMENTED") == 100
    assert told("authsvc_refusals_total", reason=OTHER) == 100
    assert told("authsvc_tokens_not_active_total", status=OTHER) == 100
    assert told("authsvc_signing_seconds_count", algorithm=OTHER) == 100
    assert told("authsvc_refreshes_total", outcome=OTHER) == 100
    assert told.labels("authsvc_calls_total", "method") == {"/a.B/C", "/a.B/D", OTHER}
    assert told.labels("authsvc_refusals_total", "reason") == {"OVERLOADED", "STALE", OTHER}
    assert told.labels("authsvc_signing_seconds_count", "algorithm") == {"ES256", "HS256", OTHER}


def test_a_method_keeps_its_numbers(metrics: Metrics) -> None:
    """Saying again which methods there are, as a second server does, forgets nothing."""
    metrics.calls.completed("/a.B/C", "OK", "", 0.001)
    metrics.calls.know(["/a.B/C", "/a.B/E"])
    assert scrape(metrics)("authsvc_calls_total", method="/a.B/C", code="OK") == 1


def test_registries_are_apart(metrics: Metrics) -> None:
    """Two servers in a process count for themselves, and nothing is in prometheus_client's global registry."""
    metrics.refreshes.add("turned")
    assert scrape(metrics)("authsvc_refreshes_total", outcome="turned") == 1
    assert scrape(new_metrics())("authsvc_refreshes_total", outcome="turned") == 0
    assert b"authsvc" not in prometheus_client.generate_latest(prometheus_client.REGISTRY)


def test_gauges_are_read_at_each_scrape(metrics: Metrics) -> None:
    """A gauge says what is so when it is asked for."""
    waiting = [1, 2, 3]
    metrics.in_flight = lambda: len(waiting)
    assert scrape(metrics)("authsvc_calls_in_flight") == 3
    waiting.clear()
    assert scrape(metrics)("authsvc_calls_in_flight") == 0
