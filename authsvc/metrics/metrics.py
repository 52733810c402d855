"""All that a process counts, in a registry of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from authsvc.metrics.calls import CallMetrics
from authsvc.metrics.store import StoreMetrics
from authsvc.metrics.tallies import SECONDS, Counters, Histograms


@dataclass(frozen=True, slots=True)
class CacheState:
    """What a cache says of itself: how often it knew, how often not, how much it holds."""

    hits: int = 0
    misses: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class JanitorState:
    """What was forgotten, by table, and for how long the oldest thing that could be has waited, in seconds; how many
    revocations are remembered, and how many of them will never be forgotten."""

    removed: Mapping[str, int] = field(default_factory=dict)
    lag: float = 0.0
    revocations: int = 0
    endless: int = 0


class Metrics(Collector):
    """What is counted as it happens has a method here or in a part; what is only looked at is read at each scrape.

    ``reasons``, ``statuses``, ``algorithms`` and ``outcomes`` are the labels there can be.
    """

    def __init__(
        self, *, reasons: Iterable[str], statuses: Iterable[str], algorithms: Iterable[str], outcomes: Iterable[str]
    ) -> None:
        self.calls = CallMetrics(reasons=reasons, statuses=statuses)
        self.store = StoreMetrics()
        self.signing = Histograms(
            "authsvc_signing_seconds", "How long it took to sign a token.", "algorithm", algorithms, bounds=SECONDS
        )
        self.refreshes = Counters(
            "authsvc_refreshes", "Refresh tokens by what was done with their session.", "outcome", outcomes
        )
        self.in_flight: Callable[[], int] = _nothing
        self.stalled: Callable[[], int] = _nothing
        self.signature_cache: Callable[[], CacheState] = CacheState
        self.janitor: Callable[[], JanitorState] = JanitorState
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def exposition(self) -> bytes:
        """Everything, in the text format that Prometheus scrapes."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Everything, as ``prometheus_client`` asks for it."""
        yield from self.calls.families()
        yield GaugeMetricFamily("authsvc_calls_in_flight", "Calls that are being served.", self.in_flight())
        yield GaugeMetricFamily("authsvc_calls_stalled", "Calls that wait for a message of theirs.", self.stalled())
        yield self.refreshes.family()
        yield self.signing.family()
        cache = self.signature_cache()
        yield CounterMetricFamily("authsvc_signature_cache_hits", "Signatures known from before.", cache.hits)
        yield CounterMetricFamily("authsvc_signature_cache_misses", "Signatures that were not known.", cache.misses)
        yield GaugeMetricFamily("authsvc_signature_cache_size", "Signatures that are remembered.", cache.size)
        janitor = self.janitor()
        purged = CounterMetricFamily("authsvc_purged_rows", "Rows that no longer mattered.", labels=["table"])
        for table, count in sorted(janitor.removed.items()):
            purged.add_metric([table], count)
        yield purged
        yield GaugeMetricFamily(
            "authsvc_purge_lag_seconds", "For how long the oldest row that could go has waited.", janitor.lag
        )
        yield GaugeMetricFamily("authsvc_revocations", "Revocations that are remembered.", janitor.revocations)
        yield GaugeMetricFamily("authsvc_endless_revocations", "Revocations that are never forgotten.", janitor.endless)
        yield from self.store.families()


def _nothing() -> int:
    return 0
