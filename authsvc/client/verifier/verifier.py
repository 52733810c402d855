"""``TokenVerifier``: checks tokens here, for any number of threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Literal, Self

from authsvc.client.auth import AuthClient
from authsvc.client.calls import Updates
from authsvc.client.errors import AuthClientError
from authsvc.client.trust import TrustCalls
from authsvc.client.verifier.age import Age
from authsvc.client.verifier.checked import CheckedToken, TrustStale, checked_by_service
from authsvc.client.verifier.following import Following, question_of
from authsvc.client.verifier.judging import Judge
from authsvc.client.verifier.trusted import Trusted
from authsvc.clock import Clock, Monotonic, Randomness, system_clock, system_monotonic, system_randomness
from authsvc.model import ApiKey
from authsvc.trust.view import TrustView
from authsvc.v1 import trust_pb2 as v1

WhenStale = Literal["fail_closed", "ask_service"]

MAX_STALENESS: Final = timedelta(seconds=10)
RECONCILE_EVERY: Final = timedelta(seconds=60)
FIRST_WAIT: Final = timedelta(seconds=5)


class TokenVerifier:
    """Checks the tokens of one app by what ``client`` hears from the service; close it, or use it as a context manager.

    Follows from the moment it is made. What is known counts for ``max_staleness``; beyond, ``verify`` raises
    ``TrustStale`` (``when_stale="fail_closed"``) or asks the service for each token. ``audiences`` are the names that
    this program goes by. The account behind the client's credential needs ``trust.read``, and ``tokens.validate`` too
    where the service is asked: for apps that sign with HS256, and when stale.

    ``clock``, ``monotonic``, ``randomness`` and ``pause`` are for tests.
    """

    def __init__(
        self,
        client: AuthClient,
        api_key: str,
        *,
        audiences: Sequence[str] = (),
        max_staleness: timedelta = MAX_STALENESS,
        when_stale: WhenStale = "fail_closed",
        clock: Clock = system_clock,
        monotonic: Monotonic = system_monotonic,
        randomness: Randomness = system_randomness,
    ) -> None:
        self._client = client
        self._api_key = api_key
        self._ask_when_stale = _checked(when_stale) == "ask_service"
        self._judge = Judge(
            ApiKey(api_key),
            Trusted(TrustView()),
            Age(monotonic),
            max_staleness=max_staleness,
            audiences=audiences,
            clock=clock,
            monotonic=monotonic,
        )
        self._following = Following(self._judge, randomness, client.logs.get_logger("client.verifier"))
        self._updates: Updates[v1.TrustUpdate] | None = None
        self._closing = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="authsvc-verifier", daemon=True)
        self._thread.start()

    def verify(
        self,
        token: str,
        *,
        call_cid: str | None = None,
        channel_cid: str | None = None,
        audience: str | None = None,
        any_role_of: Sequence[str] | None = None,
    ) -> CheckedToken:
        """The claims of a good token.

        A token with a scope is good only in answer to a call or channel of it. ``audience`` asks whether it is meant
        for that service, ``any_role_of`` whether its user has one of these roles. Raises ``TokenNotActive``;
        ``TrustStale`` when that cannot be said; and where the service is asked, what ``validate_token`` raises.
        """
        plain = call_cid is None and channel_cid is None and audience is None and any_role_of is None
        if plain and (known := self._judge.remembered(token)) is not None:
            return known
        stale = self._judge.stale
        if stale and not self._ready.is_set():
            self._ready.wait(FIRST_WAIT.total_seconds())  # the first snapshot is on its way
            stale = self._judge.stale
        if stale and not self._ask_when_stale:
            raise TrustStale
        if not stale and not self._judge.ask_service:
            return self._judge.judge(
                token, call_cid=call_cid, channel_cid=channel_cid, audience=audience, any_role_of=any_role_of
            )
        changes = self._judge.changes
        question = question_of(self._api_key, token, call_cid, channel_cid, audience, any_role_of)
        checked = checked_by_service(self._client.validate_token(question))
        if plain and not stale:
            self._judge.keep_answer(token, changes, checked)
        return checked

    def wait_ready(self, timeout: timedelta = FIRST_WAIT) -> bool:
        """Wait until tokens can be checked; whether they can."""
        self._ready.wait(timeout.total_seconds())
        return not self._judge.stale

    @property
    def stale(self) -> bool:
        """Whether what is known is too old to check tokens by, or nothing is known yet."""
        return self._judge.stale

    def close(self) -> None:
        """End following; tokens can be checked until what is known is too old. The client stays open."""
        self._closing.set()
        updates = self._updates
        if updates is not None:
            updates.cancel()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        trust: TrustCalls = self._client.trust
        reconcile_at = time.monotonic() + RECONCILE_EVERY.total_seconds()
        while not self._closing.is_set():
            try:
                self._updates = trust.watch_bundle(self._following.request(self._api_key))
                if self._closing.is_set():
                    self._updates.cancel()
                for update in self._updates:
                    self._following.take(update)
                    if not self._judge.stale:
                        self._ready.set()
                    if time.monotonic() >= reconcile_at:
                        reconcile_at = time.monotonic() + RECONCILE_EVERY.total_seconds()
                        self._following.reconcile(trust.get_bundle(v1.GetTrustBundleRequest(api_key=self._api_key)))
                pause = self._following.ended(None)
            except (AuthClientError, ValueError) as fault:
                pause = self._following.ended(fault)
            self._closing.wait(pause)


def _checked(when_stale: str) -> str:
    if when_stale not in ("fail_closed", "ask_service"):
        raise ValueError("when_stale must be fail_closed or ask_service")
    return when_stale
