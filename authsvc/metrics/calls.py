"""What is counted of calls: how many by method and code, how long by method, and what was said instead of yes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from authsvc.metrics.tallies import OTHER, SECONDS, Counters, Histogram, told

OK = "OK"


class _Method(Histogram):
    """The times of one method's calls, and their codes: under one lock, as each call moves both."""

    __slots__ = ("_codes",)

    def __init__(self) -> None:
        super().__init__(SECONDS)
        self._codes = Counter({OK: 0})

    def completed(self, code: str, seconds: float) -> None:
        with self.lock:
            self._codes[code] += 1
            self.add(seconds)

    def codes(self) -> dict[str, int]:
        with self.lock:
            return dict(self._codes)


def _settled() -> None:
    """Whoever counts does so at once."""


class CallMetrics:
    """Methods become known when a server says which it has; the calls of all others count together."""

    def __init__(self, *, reasons: Iterable[str], statuses: Iterable[str]) -> None:
        self.settle: Callable[[], None] = _settled
        """Asked before the state is read: counts what is over and was not counted yet."""
        self._other = _Method()
        self._methods = {OTHER: self._other}
        self._refusals = Counters(
            "authsvc_refusals", "Calls that ended with another code than OK, by reason.", "reason", reasons
        )
        self._not_active = Counters(
            "authsvc_tokens_not_active", "Answers about tokens that are not active, by status.", "status", statuses
        )

    def know(self, methods: Iterable[str]) -> None:
        """Give these methods labels of their own; to be said before calls are served."""
        for method in methods:
            self._methods.setdefault(method, _Method())

    def completed(self, method: str, code: str, reason: str, seconds: float) -> None:
        """A call is over. ``code`` is the name of a gRPC status.

        ``reason`` is why the call was refused; with the code OK, the status of a token that is not active; or empty.
        """
        self._methods.get(method, self._other).completed(code, seconds)
        if reason:
            (self._not_active if code == OK else self._refusals).add(reason)

    def families(self) -> Iterator[Metric]:
        """The state as ``prometheus_client`` writes it."""
        self.settle()
        calls = CounterMetricFamily("authsvc_calls", "Calls by method and gRPC code.", labels=["method", "code"])
        seconds = HistogramMetricFamily(
            "authsvc_call_seconds", "How long calls took, from their metadata to their end.", labels=["method"]
        )
        for name, method in told(self._methods):
            for code, count in method.codes().items():
                calls.add_metric([name, code], count)
            method.give(seconds, [name])
        yield from (calls, seconds, self._refusals.family(), self._not_active.family())
