"""Numbers that many threads add to and a scrape reads.

They are not those of ``prometheus_client``, whose histogram takes four times as long for a value and whose counter
twice: what is counted of a call shall cost it 3 µs in all. What is given out are families that it writes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isinf
from threading import Lock
from typing import Final, Protocol, TypeVar

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

OTHER: Final = "other"
"""The label of whatever has none of its own: nothing that a caller sends makes a new one."""

SECONDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01),
    *(0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""The bounds of times: from a cached validation to a deadline that nobody wants."""


class Counter:
    """A number that grows by one."""

    __slots__ = ("_lock", "value")

    def __init__(self) -> None:
        self._lock = Lock()
        self.value = 0

    def add(self) -> None:
        """One more."""
        with self._lock:
            self.value += 1


class Histogram:
    """Amounts by size: how many are at most each bound, and their sum."""

    __slots__ = ("_amounts", "_bounds", "_sum", "lock")

    def __init__(self, bounds: Sequence[float], lock: Lock | None = None) -> None:
        self._bounds = tuple(bounds)
        self._amounts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self.lock = lock or Lock()

    @property
    def value(self) -> int:
        """How many amounts there were."""
        return sum(self._amounts)

    def observe(self, amount: float) -> None:
        """One more amount."""
        with self.lock:
            self.add(amount)

    def add(self, amount: float) -> None:
        """``observe`` for who holds the lock, and moves more under it."""
        self._amounts[bisect_left(self._bounds, amount)] += 1
        self._sum += amount

    def give(self, family: HistogramMetricFamily, labels: Sequence[str] = ()) -> None:
        """Write the state into a family: each bucket with all that is in the smaller ones."""
        with self.lock:
            amounts, total = self._amounts.copy(), self._sum
        buckets, below = [], 0
        for bound, amount in zip((*self._bounds, float("inf")), amounts, strict=True):
            below += amount
            buckets.append(("+Inf" if isinf(bound) else str(bound), float(below)))
        family.add_metric(labels, buckets, total)


class Counters:
    """A counter for each of the values that a label may have."""

    def __init__(self, name: str, documentation: str, label: str, values: Iterable[str]) -> None:
        self._heading = (name, documentation)
        self._label = label
        self._counters = {value: Counter() for value in (*values, OTHER)}
        self._other = self._counters[OTHER]

    def add(self, value: str) -> None:
        """One more of ``value``."""
        self._counters.get(value, self._other).add()

    def family(self) -> CounterMetricFamily:
        """The state as ``prometheus_client`` writes it."""
        family = CounterMetricFamily(*self._heading, labels=[self._label])
        for value, counter in told(self._counters):
            family.add_metric([value], counter.value)
        return family


class Histograms:
    """A histogram for each of the values that a label may have."""

    def __init__(
        self, name: str, documentation: str, label: str, values: Iterable[str], *, bounds: Sequence[float]
    ) -> None:
        self._heading = (name, documentation)
        self._label = label
        self._histograms = {value: Histogram(bounds) for value in (*values, OTHER)}
        self._other = self._histograms[OTHER]

    def observe(self, value: str, amount: float) -> None:
        """One more amount of ``value``."""
        self._histograms.get(value, self._other).observe(amount)

    def family(self) -> HistogramMetricFamily:
        """The state as ``prometheus_client`` writes it."""
        family = HistogramMetricFamily(*self._heading, labels=[self._label])
        for value, histogram in told(self._histograms):
            histogram.give(family, [value])
        return family


class _Counted(Protocol):
    @property
    def value(self) -> int: ...


C = TypeVar("C", bound=_Counted)


def told(by_value: Mapping[str, C]) -> Iterator[tuple[str, C]]:
    """What is given out: each known value, also while it is 0, and ``other`` once there is any."""
    return ((value, one) for value, one in by_value.items() if value != OTHER or one.value)
