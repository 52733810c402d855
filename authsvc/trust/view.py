"""The trust view: readers take no lock, one mover at a time changes it, nothing ever goes back to an older revision."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from authsvc.model import (
    AccountId,
    ApiKey,
    App,
    Revision,
    ServiceAccount,
    SessionId,
    SessionRevoked,
    TokenId,
    TokenRevoked,
    UserId,
    Watermark,
)
from authsvc.signing.keyring import KeyRing, RingKey


@dataclass(frozen=True, slots=True)
class AppTrust:
    """An app with its keys at one moment; replaced, never changed."""

    app: App
    ring: KeyRing = field(default_factory=KeyRing)

    longest_life: timedelta | None = field(init=False)
    """How long a token minted now can still live, skew included; None: for ever."""

    def __post_init__(self) -> None:
        life = None if self.app.ever_non_expiring else self.app.longest_ttl_ever + self.app.settings.clock_skew
        object.__setattr__(self, "longest_life", life)  # once, and not for each token that is looked at

    def accepts_issuer(self, issuer: str, now: datetime) -> bool:
        """Whether tokens of that issuer can be alive: today's, or a past one's while its last token can live."""
        if issuer == self.app.settings.issuer:
            return True
        life = self.longest_life
        return any(
            past.issuer == issuer and (life is None or now < past.until + life) for past in self.app.past_issuers
        )


class TrustView:
    """Everything a worker decides from. Looking things up is a dictionary access and never waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._apps: dict[ApiKey, AppTrust] = {}
        self._accounts: dict[AccountId, ServiceAccount] = {}
        self._sessions: dict[SessionId, Revision] = {}
        self._tokens: set[tuple[ApiKey, TokenId]] = set()
        self._watermarks: dict[tuple[ApiKey, UserId | None], Watermark] = {}
        self._revision = Revision(0)

    # -- reading -------------------------------------------------------------------------------

    @property
    def revision(self) -> Revision:
        """Every change up to this one is in the view."""
        return self._revision

    def app(self, api_key: ApiKey) -> AppTrust | None:
        """The app with that key, or None."""
        return self._apps.get(api_key)

    def apps(self) -> tuple[App, ...]:
        """All apps, by api_key."""
        return tuple(sorted((trust.app for trust in self._apps.copy().values()), key=lambda app: app.api_key))

    def account(self, account_id: AccountId) -> ServiceAccount | None:
        """The service account with that id, or None."""
        return self._accounts.get(account_id)

    def accounts(self) -> tuple[ServiceAccount, ...]:
        """All service accounts, by id."""
        return tuple(sorted(self._accounts.copy().values(), key=lambda account: account.id))

    def session_revoked(self, session_id: SessionId) -> bool:
        """Whether the session was ended before its time."""
        return session_id in self._sessions

    def token_revoked(self, api_key: ApiKey, token_id: TokenId) -> bool:
        """Whether that single token was revoked."""
        return (api_key, token_id) in self._tokens

    def watermark(self, api_key: ApiKey, user_id: UserId | None) -> Watermark | None:
        """What was revoked for the user, or with None for the app."""
        return self._watermarks.get((api_key, user_id))

    # -- moving --------------------------------------------------------------------------------

    def put_app(self, app: App) -> None:
        """Learn an app, unless what is known of it is newer."""
        with self._lock:
            known = self._apps.get(app.api_key)
            if known is None:
                self._apps[app.api_key] = AppTrust(app)
            elif known.app.revision <= app.revision:
                self._apps[app.api_key] = AppTrust(app, known.ring)

    def put_keys(self, api_key: ApiKey, keys: Iterable[RingKey]) -> None:
        """Learn keys of an app that is known."""
        with self._lock:
            known = self._apps[api_key]
            ring = known.ring
            for key in keys:
                ring = ring.with_key(key)
            self._apps[api_key] = AppTrust(known.app, ring)

    def put_account(self, account: ServiceAccount) -> None:
        """Learn a service account, unless what is known of it is newer."""
        with self._lock:
            known = self._accounts.get(account.id)
            if known is None or known.revision <= account.revision:
                self._accounts[account.id] = account

    def put_revocation(self, revocation: SessionRevoked | TokenRevoked | Watermark) -> None:
        """Learn a revocation."""
        with self._lock:
            match revocation:
                case SessionRevoked():
                    self._sessions[revocation.session_id] = revocation.revision
                case TokenRevoked():
                    self._tokens.add((revocation.api_key, revocation.token_id))
                case Watermark():
                    place = (revocation.api_key, revocation.user_id)
                    known = self._watermarks.get(place)
                    if known is None or known.revision <= revocation.revision:
                        self._watermarks[place] = revocation

    def reached(self, revision: Revision) -> None:
        """State that every change up to ``revision`` is in the view."""
        with self._lock:
            self._revision = max(self._revision, revision)
