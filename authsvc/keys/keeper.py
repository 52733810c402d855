"""What time brings for the keys of all apps, done by whichever process looks first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from authsvc.clock import deadline_after
from authsvc.errors import AuthError
from authsvc.keys.changes import KeyChanges, KeysChanged, keys_of
from authsvc.keys.watched_clock import WatchedClock
from authsvc.logs import Logger
from authsvc.model import KeyRecord
from authsvc.signing.lifecycle import Keys, LifeCycle, Move, Present
from authsvc.trust.view import AppTrust, TrustView

KEEPER: Final = "authsvc"
"""Who did it, for the audit: nobody asked for it."""

_PATIENCE_SECONDS: Final = 10.0


class KeyKeeper:
    """Looks at the keys in memory and goes to the store only where something is due."""

    def __init__(
        self, view: TrustView, changes: KeyChanges, cycle: LifeCycle, clock: WatchedClock, log: Logger
    ) -> None:
        self._view = view
        self._changes = changes
        self._cycle = cycle
        self._clock = clock
        self._log = log
        self._fails = False

    def look(self) -> int:
        """Do all that is due; returns how many changes that were. Never raises what a store raises.

        Nothing is due while the clock was set lately: it may be put right again, and a key that is gone stays so.
        """
        if not self._clock.steady():
            return 0
        made = 0
        try:
            for trust in self._trusts():
                made += self._keep(trust)
        except AuthError as fault:
            self._failed(fault)
        else:
            self._fails = False
        return made

    def _trusts(self) -> Iterable[AppTrust]:
        known = (self._view.app(app.api_key) for app in self._view.apps())
        return (trust for trust in known if trust is not None)

    def _keep(self, trust: AppTrust) -> int:
        def due(keys: Keys, present: Present, spare: KeyRecord | None) -> Move | None:
            return self._cycle.due(keys, trust.app, present, spare=spare)

        keys, made = keys_of(trust.ring), 0
        while True:
            try:
                done = self._changes.attempt(
                    trust.app, keys, due, by=KEEPER, deadline=deadline_after(_PATIENCE_SECONDS)
                )
            except KeysChanged:
                return made  # another process was faster: what it did is in the view when this one looks again
            if done.move is None:
                return made
            keys, made = done.keys, made + 1

    def _failed(self, fault: AuthError) -> None:
        if not self._fails:
            self._log.warn("keys are not looked after for now", reason=fault.reason, detail=fault.detail)
        self._fails = True
