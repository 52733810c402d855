"""The use cases for keys: list, rotate, activate, revoke, and the key set that others verify by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from authsvc.clock import Deadline
from authsvc.errors import AuthError, Conflict, Faults, KeyNotReady, NotFound, Reason
from authsvc.keys.changes import Done, KeyChanges, Plan, keys_of
from authsvc.keys.making import KeyMaker
from authsvc.keys.watched_clock import WatchedClock
from authsvc.logs import Logger
from authsvc.model import App, KeyId, KeyRecord, KeyState, Principal
from authsvc.signing.jwks import key_set
from authsvc.signing.lifecycle import Keys, LifeCycle, Move, Present, pending, verifies_until
from authsvc.trust.access import app_for
from authsvc.trust.view import AppTrust, TrustView

ASKED_FOR = "asked for"
AT_ONCE = "asked for, without its lead time"


@dataclass(frozen=True, slots=True)
class KeyDescription:
    """What an operator is shown of a key, never its secret part.

    ``signs_from``: when a pending key may sign. ``verifies_until``: when a retired key verifies nothing any more.
    ``weak``: an imported secret shorter than its hash.
    """

    key: KeyRecord
    signs_from: datetime | None
    verifies_until: datetime | None
    weak: bool


class KeysAdmin:
    """Every method raises ``CallerForbidden`` for apps that are not the caller's, and what the store raises."""

    def __init__(
        self,
        view: TrustView,
        changes: KeyChanges,
        maker: KeyMaker,
        cycle: LifeCycle,
        clock: WatchedClock,
        log: Logger,
    ) -> None:
        self._view = view
        self._changes = changes
        self._maker = maker
        self._cycle = cycle
        self._clock = clock
        self._log = log

    def all(
        self, principal: Principal, api_key: str, *, deadline: Deadline | None = None
    ) -> tuple[KeyDescription, ...]:
        """The keys of an app, oldest first; those that are gone are not among them."""
        trust = self._named(principal, api_key, deadline)
        return tuple(self._described(trust.app, key) for key in keys_of(trust.ring))

    def key_set(self, principal: Principal, api_key: str, *, deadline: Deadline | None = None) -> bytes:
        """The app's public keys as JWK set text; without keys for an app that signs by HMAC."""
        trust = self._named(principal, api_key, deadline)
        return key_set(trust.ring, now=self._clock.present().now, retired_for=trust.longest_life)

    def rotate(
        self, principal: Principal, api_key: str, *, at_once: bool, deadline: Deadline | None = None
    ) -> KeyDescription:
        """Publish a successor of the app's key, which signs after its lead time, or ``at_once``.

        Where one is pending already it is the successor, however many ask for one and wherever. Raises
        ``DeadlinePassed`` when its key could not be made in time.
        """
        trust = self._named(principal, api_key, deadline)

        def plan(app: App, keys: Keys, present: Present, spare: KeyRecord | None) -> Move | None:
            if at_once:
                return self._cycle.succeeded(keys, app, present, spare=spare, reason=AT_ONCE)
            return self._cycle.published(keys, app, spare, ASKED_FOR)

        done = self._make(trust, plan, principal, deadline)
        successor = _find(done.keys, done.move.key_id) if done.move is not None else pending(done.keys, done.app)
        assert successor is not None
        return self._described(done.app, successor)

    def activate(
        self,
        principal: Principal,
        api_key: str,
        key_id: str,
        *,
        at_once: bool,
        etag_version: int | None,
        deadline: Deadline | None = None,
    ) -> KeyDescription:
        """Let a pending key sign now; doing it twice is harmless.

        Raises ``NotFound`` (KEY_NOT_FOUND), ``Conflict`` for an old etag, and ``KeyNotReady`` for a key that was
        retired or revoked, that is of another algorithm than the app is set to, or whose lead time is not over (it says
        from when the key may sign): unless ``at_once``.
        """
        trust, wanted = self._named(principal, api_key, deadline), _checked(key_id)

        def plan(app: App, keys: Keys, present: Present, _: KeyRecord | None) -> Move | None:
            key = _read(keys, wanted, etag_version)
            if key.state is KeyState.ACTIVE:
                return None
            if key is not pending(keys, app):
                raise KeyNotReady
            signs_from = self._cycle.signs_from(key)
            early = present.now < signs_from
            if early and not at_once:
                raise KeyNotReady(signs_from=signs_from)
            return self._cycle.activated(keys, wanted, present, AT_ONCE if early else ASKED_FOR)

        done = self._make(trust, plan, principal, deadline)
        return self._described(done.app, _find(done.keys, wanted))

    def revoke(
        self,
        principal: Principal,
        api_key: str,
        key_id: str,
        *,
        etag_version: int | None,
        deadline: Deadline | None = None,
    ) -> KeyDescription:
        """End a key for good: no token that it signed is accepted from now on. Doing it twice is harmless.

        The successor of a key that signs takes its place at once: the pending key, or a new one. Raises ``NotFound``
        (KEY_NOT_FOUND), and ``Conflict`` for an old etag.
        """
        trust, wanted = self._named(principal, api_key, deadline), _checked(key_id)

        def plan(app: App, keys: Keys, present: Present, spare: KeyRecord | None) -> Move | None:
            _read(keys, wanted, etag_version)
            return self._cycle.revoked(keys, app, wanted, present, spare=spare, reason=ASKED_FOR)

        done = self._make(trust, plan, principal, deadline)
        return self._described(done.app, _find(done.keys, wanted))

    def first(self, app: App, *, secret: bytes = b"", deadline: Deadline | None = None) -> KeyRecord:
        """The first key of a new app, which signs at once; with ``secret``, one that others hold too."""
        return self._maker.first(app.api_key, app.settings.algorithm, secret=secret, deadline=deadline)

    def follow_settings(self, principal: Principal, app: App, *, deadline: Deadline | None = None) -> None:
        """Publish a key of the algorithm that the app was just set to.

        What cannot be done now is done by whoever looks after the keys next: the settings are what counts.
        """

        def plan(app: App, keys: Keys, present: Present, spare: KeyRecord | None) -> Move | None:
            return self._cycle.succession(keys, app, present.now, spare)

        try:
            self._changes.make(app.api_key, plan, by=principal.account_id, deadline=deadline)
        except AuthError as fault:
            self._log.warn("no key of the new algorithm yet", app=app.api_key, reason=fault.reason)

    def _make(self, trust: AppTrust, plan: Plan, principal: Principal, deadline: Deadline | None) -> Done:
        return self._changes.make(trust.app.api_key, plan, by=principal.account_id, deadline=deadline)

    def _named(self, principal: Principal, api_key: str, deadline: Deadline | None) -> AppTrust:
        """The app of that name; an empty one is a fault: no key is touched because a name was left out."""
        faults = Faults()
        if not api_key:
            faults.add("api_key", "must name the app")
        faults.refuse_any()
        return app_for(self._view, principal, api_key, deadline=deadline)

    def _described(self, app: App, key: KeyRecord) -> KeyDescription:
        trust = self._view.app(app.api_key)
        known = trust.ring.keys.get(key.key_id) if trust is not None else None
        return KeyDescription(
            key=key,
            signs_from=self._cycle.signs_from(key) if key.state is KeyState.PENDING else None,
            verifies_until=verifies_until(key, app) if key.state is KeyState.RETIRED else None,
            weak=known is not None and known.weak,
        )


def _checked(key_id: str) -> KeyId:
    faults = Faults()
    if not key_id:
        faults.add("key_id", "must name the key")
    faults.refuse_any()
    return KeyId(key_id)


def _read(keys: Keys, key_id: KeyId, etag_version: int | None) -> KeyRecord:
    """The key, in the state that the caller has read; its revision is what its etag names."""
    key = _find(keys, key_id)
    if etag_version is not None and key.revision != etag_version:
        raise Conflict
    return key


def _find(keys: Keys, key_id: KeyId) -> KeyRecord:
    key = next((key for key in keys if key.key_id == key_id), None)
    if key is None:
        raise NotFound(Reason.KEY_NOT_FOUND)
    return key
