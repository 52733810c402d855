"""What a verifier does with each step of its stream, and when that ends: the same for threads and for tasks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final

from authsvc.client.errors import AuthClientError, Failure, Unavailable
from authsvc.client.homes import Closed, tell_after_fork
from authsvc.client.verifier.age import Age
from authsvc.client.verifier.judging import Judge
from authsvc.client.verifier.pauses import Pauses
from authsvc.client.verifier.trusted import Trusted
from authsvc.clock import Clock, Monotonic, Randomness
from authsvc.model import ApiKey
from authsvc.trust.view import TrustView
from authsvc.v1 import trust_pb2 as v1

if TYPE_CHECKING:
    from authsvc.logs import Logger

MAX_STALENESS: Final = timedelta(seconds=10)
FIRST_WAIT: Final = timedelta(seconds=5)
RECONCILE_EVERY: Final = timedelta(seconds=60)

SILENCE: Final = timedelta(seconds=8)
"""A stream that has spoken says something every five seconds at least. Nothing for longer: it says nothing any more,
though its line may live. Found out before ``MAX_STALENESS`` is over, so that another stream can be heard in time."""

ANSWERED_WITHIN: Final = timedelta(seconds=3)
"""A stream that is opened says something at once, and so does whatever else is asked for. With the longest pause, and
the way there and back, a verifier is back within five seconds of a service that is."""

LOOK_EVERY: Final = timedelta(seconds=0.5)
"""How often to look whether a stream is silent."""

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
        self._said = set[str]()  # why nothing is heard, as far as it was logged
        self._strange_keys = frozenset[str]()
        self._began = self._reconciled = self._heard = monotonic()
        self._limit = ANSWERED_WITHIN
        self.over = False
        """Whether no stream can be opened any more."""

    @property
    def patience(self) -> float:
        """How many seconds to wait for the first snapshot: who never hears one is not waited for at each call."""
        if self._judge.forked:
            return 0
        return max(FIRST_WAIT.total_seconds() - self._seconds_since(self._began), 0)

    def request(self) -> v1.WatchTrustBundleRequest:
        """What to open the next stream with."""
        self._judge.age.began()
        self._heard, self._limit = self._monotonic(), ANSWERED_WITHIN
        return v1.WatchTrustBundleRequest(api_key=self._api_key, cursor=self._judge.trusted.cursor)

    def take(self, update: v1.TrustUpdate) -> bool:
        """Learn an update; whether tokens can be checked now. Raises ``ValueError`` for one that makes no sense."""
        self._heard, self._limit = self._monotonic(), SILENCE
        self._judge.trusted.take(update)
        self._note_strange_keys()
        if update.cursor:  # inside of a snapshot nothing is known yet of what it will hold
            self._judge.age.told(update.as_of.ToDatetime(UTC))
            self._judge.refresh()
            self._judge.unheard = None
            self._pauses.succeeded()
            if self._said:
                self._said.clear()
                self._log.info("the service is heard again")
        return not self._judge.stale

    @property
    def silent(self) -> bool:
        """Whether the stream has said nothing for so long that it is to be ended, and another one opened."""
        return self._seconds_since(self._heard) > self._limit.total_seconds()

    def reconciling(self) -> v1.GetTrustBundleRequest | None:
        """What to ask for now, so that it can be compared with what the stream has told; None: it is too soon."""
        if self._seconds_since(self._reconciled) < RECONCILE_EVERY.total_seconds():
            return None
        self._reconciled = self._monotonic()
        return v1.GetTrustBundleRequest(api_key=self._api_key)

    def reconcile(self, bundle: v1.GetTrustBundleResponse) -> None:
        """Compare what is known with what was asked for, and forget what no longer matters to anybody."""
        if self._judge.trusted.reconcile(bundle.policy):
            self._log.warn("a change was not told by the stream", revision=bundle.policy.revision)
            self._note_strange_keys()
        self._judge.forget_old(bundle.as_of.ToDatetime(UTC))

    def ended(self, fault: Exception | None) -> float:
        """The stream has ended: how many seconds to wait before the next.

        ``fault`` is what it ended with. Whatever that is, the next may be better, unless it is ``over`` now.
        """
        self._judge.trusted.lost()
        if self.silent and _says_nothing(fault):
            fault = _silent()
        self._judge.unheard = fault or self._judge.unheard
        if isinstance(fault, Closed):
            self.over = True
            self._log.warn("the client is closed: the service is followed no more")
            return 0
        if fault is not None and not _is_ordinary(fault):
            self._say(fault)
        return self._pauses.seconds()

    def closed(self) -> None:
        """Following was ended by its user."""
        self._judge.unheard = Closed("the verifier")

    def _say(self, fault: Exception) -> None:
        reason = _reason(fault)
        if reason in self._said:
            return
        self._said.add(reason)
        unforeseen = not isinstance(fault, AuthClientError | ValueError)
        self._log.warn("the service is not heard", reason=reason, **({"exception": reason} if unforeseen else {}))

    def _note_strange_keys(self) -> None:
        strange = self._judge.trusted.strange_keys
        for key_id in sorted(strange - self._strange_keys):
            self._log.warn("a key is of a newer service: nothing is verified by it", kid=key_id)
        self._strange_keys = strange

    def _seconds_since(self, moment: int) -> float:
        return (self._monotonic() - moment) / _NANOSECONDS


def _is_ordinary(fault: Exception) -> bool:
    return isinstance(fault, AuthClientError) and fault.reason in _ORDINARY


def _says_nothing(fault: Exception | None) -> bool:
    """Whether it is how a stream ends that was ended here; the libraries do not know why."""
    if isinstance(fault, AuthClientError):
        return fault.reason == "CANCELLED"
    return fault is None or isinstance(fault, TimeoutError)


def _reason(fault: Exception) -> str:
    if isinstance(fault, AuthClientError):
        return fault.reason
    return "UPDATE_INVALID" if isinstance(fault, ValueError) else type(fault).__name__


def _silent() -> Unavailable:
    return Unavailable(Failure("UNAVAILABLE", "SILENT", "nothing came on an open stream"))


def make_judge(
    api_key: str, *, audiences: Sequence[str], max_staleness: timedelta, clock: Clock, monotonic: Monotonic
) -> Judge:
    """A judge that knows nothing yet, and nothing any more in a process that is forked from this one.

    Raises ``ValueError`` for an app without a name, or a bound that is none; ``TypeError`` for names that are no list.
    """
    judge = Judge(
        ApiKey(api_key),
        Trusted(TrustView()),
        Age(monotonic),
        max_staleness=max_staleness,
        audiences=audiences,
        clock=clock,
        monotonic=monotonic,
    )
    tell_after_fork(judge)
    return judge
