"""What a verifier does with each step of its stream, and when that ends: the same for threads and for tasks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import Final

from authsvc.client.errors import AuthClientError
from authsvc.client.verifier.age import Age
from authsvc.client.verifier.judging import Judge
from authsvc.client.verifier.pauses import Pauses
from authsvc.client.verifier.trusted import Trusted
from authsvc.clock import Clock, Monotonic, Randomness
from authsvc.logs import Logger
from authsvc.model import ApiKey
from authsvc.trust.view import TrustView
from authsvc.v1 import trust_pb2 as v1

MAX_STALENESS: Final = timedelta(seconds=10)
FIRST_WAIT: Final = timedelta(seconds=5)
RECONCILE_EVERY: Final = timedelta(seconds=60)

_NANOSECONDS: Final = 1_000_000_000
_ORDINARY: Final = frozenset(("CANCELLED", "DRAINING"))


class Following:
    """Keeps a judge in step with a stream, and says once when it is lost and once when it is back."""

    def __init__(
        self, judge: Judge, api_key: str, *, monotonic: Monotonic, randomness: Randomness, log: Logger
    ) -> None:
        self._judge = judge
        self._api_key = api_key
        self._monotonic = monotonic
        self._pauses = Pauses(randomness)
        self._log = log
        self._lost = False
        self._began = self._reconciled = monotonic()

    @property
    def patience(self) -> float:
        """How many seconds to wait for the first snapshot: who never hears one is not waited for at each call."""
        return max(FIRST_WAIT.total_seconds() - (self._monotonic() - self._began) / _NANOSECONDS, 0)

    def request(self) -> v1.WatchTrustBundleRequest:
        """What to open the next stream with."""
        self._judge.age.began()
        return v1.WatchTrustBundleRequest(api_key=self._api_key, cursor=self._judge.trusted.cursor)

    def take(self, update: v1.TrustUpdate) -> bool:
        """Learn an update; whether tokens can be checked now. Raises ``ValueError`` for one that makes no sense."""
        self._judge.trusted.take(update)
        if update.cursor:  # inside of a snapshot nothing is known yet of what it will hold
            self._judge.age.told(update.as_of.ToDatetime(UTC))
            self._judge.refresh()
            self._pauses.succeeded()
            if self._lost:
                self._lost = False
                self._log.info("the service is heard again")
        return not self._judge.stale

    def reconciling(self) -> v1.GetTrustBundleRequest | None:
        """What to ask for now, so that it can be compared with what the stream has told; None: it is too soon."""
        now, every = self._monotonic(), RECONCILE_EVERY.total_seconds() * _NANOSECONDS
        if now - self._reconciled < every:
            return None
        self._reconciled = now
        return v1.GetTrustBundleRequest(api_key=self._api_key)

    def reconcile(self, bundle: v1.GetTrustBundleResponse) -> None:
        """Compare what is known with what was asked for, and forget what no longer matters to anybody."""
        if self._judge.trusted.reconcile(bundle.policy):
            self._log.warn("a change was not told by the stream", revision=bundle.policy.revision)
        # By the service's clock: a wrong one of ours must not make a revocation look old.
        self._judge.trusted.forget_old(bundle.as_of.ToDatetime(UTC))

    def ended(self, fault: AuthClientError | ValueError | None) -> float:
        """The stream has ended: how many seconds to wait before the next."""
        self._judge.trusted.lost()
        quiet = fault is None or (isinstance(fault, AuthClientError) and fault.reason in _ORDINARY)
        if not quiet and not self._lost:
            self._lost = True
            reason = fault.reason if isinstance(fault, AuthClientError) else "UPDATE_INVALID"
            self._log.warn("the service is not heard", reason=reason)
        return self._pauses.seconds()


def make_judge(
    api_key: str, *, audiences: Sequence[str], max_staleness: timedelta, clock: Clock, monotonic: Monotonic
) -> Judge:
    """A judge that knows nothing yet; raises ``ValueError`` for an app without a name, or a bound that is none."""
    return Judge(
        ApiKey(api_key),
        Trusted(TrustView()),
        Age(monotonic),
        max_staleness=max_staleness,
        audiences=audiences,
        clock=clock,
        monotonic=monotonic,
    )
