"""Writing changes of keys: planned on the keys that are known, made only where they are still what the store has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from authsvc.clock import Deadline
from authsvc.keys.making import KeyMaker
from authsvc.keys.watched_clock import WatchedClock
from authsvc.logs import Logger
from authsvc.model import App, AuditEvent, KeyRecord
from authsvc.signing.keyring import KeyRing
from authsvc.signing.lifecycle import Keys, Move, Present, SuccessorNeeded
from authsvc.storage.base import Store

Plan = Callable[[Keys, Present, KeyRecord | None], Move | None]
"""What to do with these keys, given the time and perhaps a new key; None: nothing. Raises ``SuccessorNeeded``."""


class KeysChanged(Exception):
    """Somebody else changed the keys of the app meanwhile: these are the keys now."""

    def __init__(self, keys: Keys) -> None:
        super().__init__("the keys of the app changed")
        self.keys = keys


@dataclass(frozen=True, slots=True)
class Done:
    """The keys of an app after a plan was carried out, and what it did; None: there was nothing to do."""

    keys: Keys
    move: Move | None


class KeyChanges:
    """Carries plans out. Of two processes with the same plan one makes the change and the other finds it made."""

    def __init__(self, store: Store, maker: KeyMaker, clock: WatchedClock, log: Logger) -> None:
        self._store = store
        self._maker = maker
        self._clock = clock
        self._log = log

    def read(self, app: App, *, deadline: Deadline | None = None) -> Keys:
        """The keys of an app as the store has them now, whoever changed them last."""
        return self._store.edit_keys(app.api_key, lambda keys: keys, None, deadline=deadline)

    def make(self, app: App, keys: Keys, plan: Plan, *, by: str, deadline: Deadline | None = None) -> Done:
        """Carry a plan out, made anew each time somebody else was faster. Raises what the plan and the store raise."""
        while True:
            try:
                return self.attempt(app, keys, plan, by=by, deadline=deadline)
            except KeysChanged as changed:
                keys = changed.keys

    def attempt(self, app: App, keys: Keys, plan: Plan, *, by: str, deadline: Deadline | None = None) -> Done:
        """Carry a plan out on these keys; raises ``KeysChanged`` where the store has others, and what both raise."""
        move = self._planned(app, keys, plan, deadline)
        if move is None:
            return Done(keys, None)
        planned = move.keys

        def edit(stored: Keys) -> Keys:
            if stored != keys:
                raise KeysChanged(stored)
            return planned

        event = AuditEvent(self._clock.present().now, move.deed, by, app.api_key, move.key_id, "done", move.reason)
        after = self._store.edit_keys(app.api_key, edit, event, deadline=deadline)
        self._log.info("key changed", app=app.api_key, kid=move.key_id, detail=f"{move.deed}: {move.reason}")
        return Done(after, move)

    def _planned(self, app: App, keys: Keys, plan: Plan, deadline: Deadline | None) -> Move | None:
        spare = None
        while True:
            try:
                return plan(keys, self._clock.present(), spare)
            except SuccessorNeeded as needed:
                spare = self._maker.pending(app.api_key, needed.algorithm, deadline=deadline)


def keys_of(ring: KeyRing) -> Keys:
    """The keys of a worker's ring as the store keeps them, in its order."""
    records = (key.record for key in ring.keys.values())
    return tuple(sorted((key for key in records if key is not None), key=lambda key: (key.created_at, key.key_id)))
