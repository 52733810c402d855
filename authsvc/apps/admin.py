"""The use cases for apps: create with a first key, read, change settings, suspend and resume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from authsvc.apps.requests import Wishes
from authsvc.apps.rules import check_api_key, check_mask, check_secret, check_unmanaged, settings_with
from authsvc.clock import Clock, Deadline, Randomness
from authsvc.errors import CallerForbidden, Conflict, Faults, InvalidRequest, Reason, Violation
from authsvc.keys.admin import KeysAdmin
from authsvc.logs import Logger
from authsvc.model import (
    Algorithm,
    ApiKey,
    App,
    AppSettings,
    AuditEvent,
    PastIssuer,
    Principal,
    Revision,
)
from authsvc.storage.base import Store
from authsvc.trust.access import app_for
from authsvc.trust.view import AppTrust, TrustView

_PAST_ISSUERS = 2
_KEY_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class AppDescription:
    """What an operator is shown of an app. ``weak_secret``: an imported secret shorter than its hash."""

    app: App
    imported_secret: bool
    weak_secret: bool


class _Already(Exception):
    """The app is what it shall become: nothing is written."""

    def __init__(self, app: App) -> None:
        super().__init__(app.api_key)
        self.app = app


class AppsAdmin:
    """Every method raises ``CallerForbidden`` for apps that are not the caller's, and what the store raises."""

    def __init__(
        self,
        view: TrustView,
        store: Store,
        keys: KeysAdmin,
        log: Logger,
        *,
        issuer: str,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._view = view
        self._store = store
        self._keys = keys
        self._log = log
        self._issuer = issuer
        self._clock = clock
        self._randomness = randomness

    def get(self, principal: Principal, api_key: str) -> App:
        """The app."""
        return self._named(principal, api_key).app

    def describe(self, app: App) -> AppDescription:
        """The app with what its keys say of it."""
        trust = self._view.app(app.api_key)
        keys = trust.ring.keys.values() if trust is not None else ()
        imported = [key for key in keys if key.imported]
        return AppDescription(app, bool(imported), any(key.weak for key in imported))

    def all(self, principal: Principal) -> tuple[App, ...]:
        """The apps the caller may act for, by api_key."""
        return tuple(app for app in self._view.apps() if principal.may_act_for(app.api_key))

    def create(
        self,
        principal: Principal,
        api_key: str,
        wishes: Wishes,
        *,
        secret: bytes = b"",
        deadline: Deadline | None = None,
    ) -> App:
        """Make an app with its first key, which signs at once; with ``secret`` that key is the given HMAC secret.

        Needs a caller with all apps. Raises ``InvalidRequest`` and ``AlreadyExists`` (APP_EXISTS).
        """
        if not principal.all_apps:
            raise CallerForbidden(Reason.APP_NOT_ALLOWED)
        faults = Faults()
        name = ApiKey(api_key or self._new_api_key())
        check_api_key(name, faults)
        if secret and not wishes["algorithm"]:
            wishes = {**wishes, "algorithm": Algorithm.HS256.value}
        settings = settings_with(AppSettings(), wishes, wishes, server_issuer=self._issuer, faults=faults)
        check_secret(secret, settings, faults)
        check_unmanaged(settings, imported=bool(secret), faults=faults)
        faults.refuse_any()
        return self.create_as(principal.account_id, name, settings, secret=secret, deadline=deadline)

    def create_as(
        self, by: str, api_key: ApiKey, settings: AppSettings, *, secret: bytes = b"", deadline: Deadline | None = None
    ) -> App:
        """Make an app whose settings and secret need no judging; an empty issuer becomes the server's."""
        now = self._clock()
        settings = replace(settings, issuer=settings.issuer or self._issuer)
        app = App(
            api_key=api_key,
            settings=settings,
            longest_ttl_ever=settings.max_ttl,
            longest_session_ever=settings.session_max_ttl,
            ever_non_expiring=mints_without_end(settings),
            past_issuers=(),
            version=1,
            revision=Revision(0),
            created_at=now,
            updated_at=now,
        )
        key = self._keys.first(app, secret=secret, deadline=deadline)
        event = self._event("app.created", by, api_key)
        return self._told(event, self._store.create_app(app, key, event, deadline=deadline))

    def update(
        self,
        principal: Principal,
        api_key: str,
        wishes: Wishes,
        mask: tuple[str, ...],
        *,
        etag_version: int | None,
        deadline: Deadline | None = None,
    ) -> App:
        """Change the settings that the mask names; raises ``InvalidRequest``, and ``Conflict`` for an old etag.

        With another algorithm the app goes on signing by its present key until one of that algorithm may sign.
        """
        trust = self._named(principal, api_key)
        faults = Faults()
        check_mask(mask, faults)
        faults.refuse_any()

        def edit(app: App) -> App:
            found = Faults()
            changed = settings_with(app.settings, wishes, mask, server_issuer=self._issuer, faults=found)
            check_unmanaged(changed, imported=trust.ring.imported_key_id() is not None, faults=found)
            found.refuse_any()
            return with_settings(app, changed, self._clock())

        app = self._edit(principal, trust.app.api_key, "app.updated", edit, etag_version, deadline)
        self._keys.follow_settings(principal, app, deadline=deadline)
        return app

    def set_suspended(
        self,
        principal: Principal,
        api_key: str,
        suspended: bool,
        *,
        etag_version: int | None,
        deadline: Deadline | None = None,
    ) -> App:
        """Suspend or resume the app at once; doing it twice is harmless."""
        name = self._named(principal, api_key).app.api_key

        def edit(app: App) -> App:
            if app.settings.suspended is suspended:  # looked at in the store: of calls made at once, one is audited
                raise _Already(app)
            return replace(app, settings=replace(app.settings, suspended=suspended))

        action = "app.suspended" if suspended else "app.resumed"
        try:
            return self._edit(principal, name, action, edit, etag_version, deadline)
        except _Already as already:
            return already.app

    def _named(self, principal: Principal, api_key: str) -> AppTrust:
        """The app of that name; an empty one is a fault: no app is changed because its name was left out."""
        if not api_key:
            raise InvalidRequest([Violation("api_key", "must name the app")])
        return app_for(self._view, principal, api_key)

    def _edit(
        self,
        principal: Principal,
        api_key: ApiKey,
        action: str,
        edit: Callable[[App], App],
        etag_version: int | None,
        deadline: Deadline | None,
    ) -> App:
        def checked(app: App) -> App:
            _check_etag(app, etag_version)
            return edit(app)

        event = self._event(action, principal.account_id, api_key)
        return self._told(event, self._store.edit_app(api_key, checked, event, deadline=deadline))

    def _told(self, event: AuditEvent, app: App) -> App:
        self._log.info("app changed", action=event.action, app=app.api_key, principal=event.principal)
        return app

    def _new_api_key(self) -> str:
        return "".join(_KEY_ALPHABET[byte & 31] for byte in self._randomness(12))

    def _event(self, action: str, by: str, api_key: str) -> AuditEvent:
        return AuditEvent(self._clock(), action, by, api_key, api_key, "done")


def with_settings(app: App, settings: AppSettings, now: datetime) -> App:
    """The app under new settings, with what it must remember of the old ones: that part only grows."""
    past = app.past_issuers
    if settings.issuer != app.settings.issuer:
        others = tuple(one for one in past if one.issuer not in (settings.issuer, app.settings.issuer))
        past = (PastIssuer(app.settings.issuer, now), *others)[:_PAST_ISSUERS]
    return replace(
        app,
        settings=settings,
        past_issuers=past,
        longest_ttl_ever=max(app.longest_ttl_ever, settings.max_ttl),
        longest_session_ever=max(app.longest_session_ever, settings.session_max_ttl),
        ever_non_expiring=app.ever_non_expiring or mints_without_end(settings),
    )


def mints_without_end(settings: AppSettings) -> bool:
    """Whether tokens may come to be that never expire: ours, or those that others mint with an imported secret."""
    return settings.allow_never_expires or settings.accept_unmanaged_tokens


def _check_etag(app: App, etag_version: int | None) -> None:
    if etag_version is not None and app.version != etag_version:
        raise Conflict
