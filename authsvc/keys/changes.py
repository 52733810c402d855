"""Writing changes of keys: planned on the keys that are known, made only where they are still what the store has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from authsvc.clock import Deadline
from authsvc.errors import NotFound, Reason
from authsvc.keys.making import KeyMaker
from authsvc.keys.watched_clock import WatchedClock
from authsvc.logs import Logger
from authsvc.model import ApiKey, App, AuditEvent, KeyRecord
from authsvc.signing.keyring import KeyRing
from authsvc.signing.lifecycle import Keys, Move, Present, SuccessorNeeded
from authsvc.storage.base import Store
from authsvc.trust.view import AppTrust, TrustView

Plan = Callable[[App, Keys, Present, KeyRecord | None], Move | None]
"""What to do with the keys of an app, given the time and perhaps a new key; None: nothing. Raises what it likes, and
``SuccessorNeeded`` to be given a new key."""

CatchUp = Callable[[Deadline | None], None]
"""Brings the view to the store's head; raises what the store raises."""


class KeysChanged(Exception):
    """The store has other keys of the app than the view: another worker has changed them just now."""


@dataclass(frozen=True, slots=True)
class Done:
    """The app and its keys after a plan was carried out, and what it did; None: there was nothing to do."""

    app: App
    keys: Keys
    move: Move | None


class KeyChanges:
    """Carries plans out. Of two processes with the same plan one makes the change and the other finds it made.

    A plan is for the keys that this worker knows, and is carried out only while the store has the very same. So what
    is written fits what the worker knows before, and no key is active twice, or none, in any worker at any moment.
    """

    def __init__(
        self, view: TrustView, store: Store, maker: KeyMaker, clock: WatchedClock, log: Logger, *, catch_up: CatchUp
    ) -> None:
        self._view = view
        self._store = store
        self._maker = maker
        self._clock = clock
        self._log = log
        self._catch_up = catch_up

    def make(self, api_key: ApiKey, plan: Plan, *, by: str, deadline: Deadline | None = None) -> Done:
        """Carry a plan out on all that was committed so far, and again when somebody else was faster.

        Raises what the plan and the store raise, and ``NotFound`` (APP_NOT_FOUND).
        """
        while True:
            self._catch_up(deadline)
            try:
                return self.attempt(self._known(api_key), plan, by=by, deadline=deadline)
            except KeysChanged:
                continue

    def attempt(self, trust: AppTrust, plan: Plan, *, by: str, deadline: Deadline | None = None) -> Done:
        """Carry a plan out on what is known of an app; raises ``KeysChanged`` where that is old, else as ``make``."""
        app, keys = trust.app, keys_of(trust.ring)
        move = self._planned(app, keys, plan, deadline)
        if move is None:
            return Done(app, keys, None)
        planned = move.keys

        def edit(stored: Keys) -> Keys:
            if stored != keys:
                raise KeysChanged
            return planned

        event = AuditEvent(self._clock.present().now, move.deed, by, app.api_key, move.key_id, "done", move.reason)
        after = self._store.edit_keys(app.api_key, edit, event, deadline=deadline)
        self._log.info(
            "key changed",
            app=app.api_key,
            kid=move.key_id,
            action=move.deed,
            detail=f"{move.deed}: {move.reason}",
            principal=by,
        )
        return Done(app, after, move)

    def _known(self, api_key: ApiKey) -> AppTrust:
        trust = self._view.app(api_key)
        if trust is None:
            raise NotFound(Reason.APP_NOT_FOUND)
        return trust

    def _planned(self, app: App, keys: Keys, plan: Plan, deadline: Deadline | None) -> Move | None:
        spare = None
        while True:
            try:
                return plan(app, keys, self._clock.present(), spare)
            except SuccessorNeeded as needed:
                spare = self._maker.pending(app.api_key, needed.algorithm, deadline=deadline)


def keys_of(ring: KeyRing) -> Keys:
    """The keys of a worker's ring as the store keeps them, in its order."""
    records = (key.record for key in ring.keys.values())
    return tuple(sorted((key for key in records if key is not None), key=lambda key: (key.created_at, key.key_id)))
