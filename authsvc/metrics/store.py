"""What is counted of the store's writer: its batches, how many changes each held, how long the disk took."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from authsvc.metrics.tallies import SECONDS, Counter, Histogram

_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class StoreMetrics:
    """Batches of changes that were committed together, or failed together."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._size = Histogram(_SIZES, self._lock)
        self._commit = Histogram(SECONDS, self._lock)
        self._failed = Counter()

    def committed(self, changes: int, seconds: float) -> None:
        """A batch is on the disk; ``seconds`` is how long its commit took."""
        with self._lock:
            self._size.add(changes)
            self._commit.add(seconds)

    def failed(self) -> None:
        """Nothing of a batch was kept."""
        self._failed.add()

    def families(self) -> Iterator[Metric]:
        """The state as ``prometheus_client`` writes it."""
        batches = CounterMetricFamily("authsvc_store_batches", "Batches, by how they ended.", labels=["outcome"])
        batches.add_metric(["committed"], self._size.value)
        batches.add_metric(["failed"], self._failed.value)
        size = HistogramMetricFamily("authsvc_store_batch_changes", "How many changes a committed batch held.")
        commit = HistogramMetricFamily("authsvc_store_commit_seconds", "How long the commit of a batch took.")
        self._size.give(size)
        self._commit.give(commit)
        yield from (batches, size, commit)
