"""Keeps the health status truthful: SERVING only while the store answers and its changes are known."""

from __future__ import annotations

import threading

from authsvc.clock import deadline_after
from authsvc.errors import AuthError, Reason
from authsvc.logs import Logger
from authsvc.rpc.health import Health
from authsvc.storage.base import Store
from authsvc.trust.freshness import Freshness

LOOK_EVERY_SECONDS = 1.0


class Readiness:
    """Looks at the store from a thread of its own and tells the health service."""

    def __init__(self, store: Store, freshness: Freshness, health: Health, log: Logger) -> None:
        self._store = store
        self._freshness = freshness
        self._health = health
        self._log = log
        self._answers = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="authsvc-readiness", daemon=True)

    def start(self) -> None:
        """Look once now, so that the first health check is right, then again and again."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Ask the store and set the status."""
        try:
            self._store.ping(deadline=deadline_after(LOOK_EVERY_SECONDS))
        except AuthError as fault:
            self._found(False, fault.reason, fault.detail)
        except Exception as fault:  # noqa: BLE001 - who cannot even ask does not serve, and asks again
            self._found(False, Reason.INTERNAL, type(fault).__name__)
        else:
            self._found(True)

    def _found(self, answers: bool, reason: str = "", detail: str = "") -> None:
        if answers and not self._answers:
            self._log.info("store answers")
        if self._answers and not answers:
            self._log.error("store does not answer", reason=reason, detail=detail)
        self._answers = answers
        self._health.set_serving(answers and not self._freshness.stale)

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_SECONDS):
            self.look()
