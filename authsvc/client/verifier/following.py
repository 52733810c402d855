"""What a verifier does with each step of its stream, and when that ends: the same for threads and for tasks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from authsvc.client.errors import AuthClientError
from authsvc.client.verifier.judging import Judge
from authsvc.client.verifier.pauses import Pauses
from authsvc.clock import Randomness
from authsvc.logs import Logger
from authsvc.v1 import auth_pb2, trust_pb2


class Following:
    """Keeps a judge in step with a stream, and says once when it is lost and once when it is back."""

    def __init__(self, judge: Judge, randomness: Randomness, log: Logger) -> None:
        self._judge = judge
        self._pauses = Pauses(randomness)
        self._log = log
        self._lost = False

    def request(self, api_key: str) -> trust_pb2.WatchTrustBundleRequest:
        """What to open the next stream with."""
        self._judge.age.began()
        return trust_pb2.WatchTrustBundleRequest(api_key=api_key, cursor=self._judge.trusted.cursor)

    def take(self, update: trust_pb2.TrustUpdate) -> None:
        """Learn an update; raises ``ValueError`` for one that makes no sense."""
        self._judge.trusted.take(update)
        if update.cursor:  # inside of a snapshot nothing is known yet of what it will hold
            self._judge.age.told(update.as_of.ToDatetime(UTC))
            self._judge.refresh()
            self._pauses.succeeded()
            if self._lost:
                self._lost = False
                self._log.info("the service is heard again")

    def reconcile(self, bundle: trust_pb2.GetTrustBundleResponse) -> None:
        """Compare what is known with what was asked for."""
        if self._judge.trusted.reconcile(bundle.policy):
            self._log.warn("a change was not told by the stream", revision=bundle.policy.revision)

    def ended(self, fault: AuthClientError | ValueError | None) -> float:
        """The stream has ended: how long to wait before the next."""
        self._judge.trusted.lost()
        quiet = fault is None or (isinstance(fault, AuthClientError) and fault.reason in _ORDINARY)
        if not quiet and not self._lost:
            self._lost = True
            reason = fault.reason if isinstance(fault, AuthClientError) else "UPDATE_INVALID"
            self._log.warn("the service is not heard", reason=reason)
        return self._pauses.seconds()


_ORDINARY = frozenset(("CANCELLED", "DRAINING"))


def question_of(
    api_key: str,
    token: str,
    call_cid: str | None,
    channel_cid: str | None,
    audience: str | None,
    any_role_of: Sequence[str] | None,
) -> auth_pb2.ValidateTokenRequest:
    """The same question as the service takes it."""
    question = auth_pb2.ValidateTokenRequest(api_key=api_key, token=token)
    if call_cid is not None:
        question.call_cid = call_cid
    if channel_cid is not None:
        question.channel_cid = channel_cid
    if audience is not None:
        question.audience = audience
    if any_role_of is not None:
        question.roles.any_of[:] = any_role_of
        question.roles.SetInParent()
    return question
