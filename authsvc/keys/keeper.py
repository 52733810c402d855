"""What time brings for the keys of all apps, done by whichever process looks first."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

from authsvc.clock import deadline_after
from authsvc.errors import AuthError, Reason
from authsvc.keys.changes import KeyChanges, KeysChanged
from authsvc.keys.watched_clock import WatchedClock
from authsvc.logs import Logger
from authsvc.model import App, KeyRecord
from authsvc.signing.lifecycle import Keys, LifeCycle, Move, Present
from authsvc.trust.view import AppTrust, TrustView

KEEPER: Final = "authsvc"
"""Who did it, for the audit: nobody asked for it."""

LOOK_EVERY_SECONDS: Final = 2.0
"""How often: a key signs so much later than it may at most."""

_PATIENCE_SECONDS: Final = 10.0


class KeyKeeper:
    """Looks at the keys in memory, on a thread of its own, and goes to the store only where something is due."""

    def __init__(
        self,
        view: TrustView,
        changes: KeyChanges,
        cycle: LifeCycle,
        clock: WatchedClock,
        log: Logger,
        *,
        every: float = LOOK_EVERY_SECONDS,
    ) -> None:
        self._view = view
        self._changes = changes
        self._cycle = cycle
        self._clock = clock
        self._log = log
        self._every = every
        self._fails = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="authsvc-key-keeper", daemon=True)

    def start(self) -> None:
        """Look again and again from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread once what it does is done."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> int:
        """Do all that is due; returns how many changes that were. Says in the log when it fails, and does not raise.

        Nothing is due while the clock was set lately: it may be put right again, and a key that is gone stays so.
        """
        if not self._clock.steady():
            return 0
        made = 0
        try:
            for trust in self._trusts():
                made += self._keep(trust)
        except AuthError as fault:
            self._failed(fault.reason, fault.detail)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the thread must live on and look again
            self._failed(Reason.INTERNAL, type(fault).__name__)
        else:
            self._fails = False
        return made

    def _trusts(self) -> Iterable[AppTrust]:
        known = (self._view.app(app.api_key) for app in self._view.apps())
        return (trust for trust in known if trust is not None)

    def _keep(self, trust: AppTrust) -> int:
        made = 0
        known: AppTrust | None = trust
        while known is not None:
            deadline = deadline_after(_PATIENCE_SECONDS)
            try:
                done = self._changes.attempt(known, self._due, by=KEEPER, deadline=deadline)
            except KeysChanged:
                return made  # another process was faster: what it did is in the view when this one looks again
            if done.move is None:
                return made
            made, known = made + 1, self._view.app(trust.app.api_key)
        return made

    def _due(self, app: App, keys: Keys, present: Present, spare: KeyRecord | None) -> Move | None:
        return self._cycle.due(keys, app, present, spare=spare)

    def _failed(self, reason: str, detail: str) -> None:
        if not self._fails:
            self._log.warn("keys are not looked after for now", reason=reason, detail=detail)
        self._fails = True

    def _run(self) -> None:
        while not self._stopping.wait(self._every):
            self.look()
