"""``TokenVerifier``: checks tokens here, for any number of threads."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Self

from authsvc.client.auth import AuthClient
from authsvc.client.calls import Updates
from authsvc.client.spans import span
from authsvc.client.verifier.asking import Asking, WhenStale, check_client, not_a_token
from authsvc.client.verifier.checked import CheckedToken
from authsvc.client.verifier.following import (
    ANSWERED_WITHIN,
    FIRST_WAIT,
    LOOK_EVERY,
    MAX_STALENESS,
    Following,
    make_judge,
)
from authsvc.clock import Clock, Monotonic, Randomness, system_clock, system_monotonic, system_randomness
from authsvc.v1 import trust_pb2 as v1
from authsvc.verify.signatures import digest_of


class TokenVerifier:
    """Checks the tokens of one app by what ``client`` hears from the service; close it, or use it as a context manager.

    Follows from the moment it is made. What is known counts for ``max_staleness``; beyond, ``verify`` raises
    ``TrustStale`` (``when_stale="fail_closed"``) or asks the service for each token. ``audiences`` are the names that
    this program goes by; give its account the same ones. The account behind the client's credential needs
    ``trust.read``, and ``tokens.validate`` too where the service is asked: for apps that sign with HS256, and when
    stale. Make it in the process that uses it: in a child that is forked afterwards it raises ``TrustStale``. Raises
    ``ValueError`` for settings that make no sense, ``TypeError`` for a client of another kind.

    ``clock``, ``monotonic`` and ``randomness`` are for tests.
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
        check_client(client, AuthClient)
        self._client = client
        self._judge = make_judge(
            api_key, audiences=audiences, max_staleness=max_staleness, clock=clock, monotonic=monotonic
        )
        self._asking = Asking(self._judge, api_key, when_stale)
        self.logs = client.logs
        log = self.logs.get_logger("client.verifier")
        self._following = Following(self._judge, api_key, monotonic=monotonic, randomness=randomness, log=log)
        self._updates: Updates[v1.TrustUpdate] | None = None
        self._closing = threading.Event()
        self._ready = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name="authsvc-verifier", daemon=True),
            threading.Thread(target=self._watch, name="authsvc-verifier-watch", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

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
        ``TrustStale`` when that cannot be said; ``InvalidRequest`` for a question that cannot be asked; ``TypeError``
        for what is no text; and where the service is asked, what ``validate_token`` raises.
        """
        try:
            digest = digest_of(token)
        except AttributeError:  # so that looking costs nothing where there is nothing to see
            raise not_a_token(token) from None
        questions = self._asking.questions(call_cid, channel_cid, audience, any_role_of)
        known = self._asking.remembered(digest, questions)
        if known is not None:
            return known
        if not self._ready.is_set() and (patience := self._following.patience):
            self._ready.wait(patience)  # the first snapshot is on its way
        checked = self._asking.here(token, digest, questions)
        if checked is not None:
            return checked
        asked = self._asking.of_service(token, digest, questions)
        return self._asking.told(asked, self._client.validate_token(asked.request))

    def wait_ready(self, timeout: timedelta = FIRST_WAIT) -> bool:
        """Wait until tokens can be checked; whether they can."""
        if not self._judge.forked:
            self._ready.wait(span("timeout", timeout).total_seconds())
        return not self._judge.stale

    @property
    def stale(self) -> bool:
        """Whether what is known is too old to check tokens by, or nothing is known yet."""
        return self._judge.stale

    def close(self) -> None:
        """End following; tokens can be checked until what is known is too old. The client stays open."""
        if self._judge.forked:
            return  # thread and stream are the parent's
        self._closing.set()
        updates = self._updates
        if updates is not None:
            updates.cancel()
        for thread in self._threads:
            thread.join()
        self._following.closed()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        pause = 0.0
        while not self._following.over and not self._closing.wait(pause):
            pause = self._following.ended(self._attempt())
        self._closing.set()
        self._ready.set()  # what has not come by now never comes

    def _attempt(self) -> Exception | None:
        try:
            self._reconcile()  # streams that say nothing must not keep it from being asked
            with self._client.trust.watch_trust_bundle(self._following.request()) as updates:
                self._updates = updates
                self._follow(updates)
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is told, and the next attempt may do better
            return fault
        return None

    def _follow(self, updates: Updates[v1.TrustUpdate]) -> None:
        if self._closing.is_set():  # ``close`` came too early to see them
            return
        for update in updates:
            if self._following.take(update):
                self._ready.set()
            self._reconcile()

    def _reconcile(self) -> None:
        if (request := self._following.reconciling()) is not None:
            self._following.reconcile(self._client.trust.get_trust_bundle(request, timeout=ANSWERED_WITHIN))

    def _watch(self) -> None:
        # A thread of its own, as whoever waits for the next update can do nothing else.
        while not self._closing.wait(LOOK_EVERY.total_seconds()):
            updates = self._updates  # looked at first: a stream that is opened meanwhile is not the silent one
            if updates is not None and self._following.silent:
                updates.cancel()
