"""The trust view: readers take no lock, one mover at a time changes it, nothing ever goes back to an older revision."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from authsvc.clock import Deadline
from authsvc.model import (
    AccountId,
    ApiKey,
    App,
    Gone,
    KeyId,
    Revision,
    ServiceAccount,
    SessionRevoked,
    Subject,
    TokenId,
    TokenRevoked,
    Watermark,
)
from authsvc.signing.keyring import KeyRing, RingKey
from authsvc.trust.revocations import NOTHING_REVOKED, AppRevocations

Rows = Collection[tuple[Any, ...]]
_BUCKETS_A_STEP: Final = 256
_API_KEY: Final = itemgetter(0)

LookAgain = Callable[[Hashable, Deadline | None], bool]
"""Asked before something is said to be unknown, with a name for it; whether the store was looked at meanwhile."""


@dataclass(frozen=True, slots=True)
class AppTrust:
    """An app with its keys at one moment; replaced, never changed."""

    app: App
    ring: KeyRing = field(default_factory=KeyRing)

    longest_life: timedelta | None = field(init=False)
    """How long a token minted now can still live, skew included; None: for ever."""

    leeway: float = field(init=False)
    """The skew that is allowed, in seconds."""

    backdate: float = field(init=False)
    """How many seconds before now tokens say that they were issued."""

    def __post_init__(self) -> None:
        # Once, and not for each token that is looked at.
        skew = self.app.settings.clock_skew
        life = None if self.app.ever_non_expiring else self.app.longest_ttl_ever + skew
        object.__setattr__(self, "longest_life", life)
        object.__setattr__(self, "leeway", skew.total_seconds())
        object.__setattr__(self, "backdate", self.app.settings.issued_at_backdate.total_seconds())

    def accepts_issuer(self, issuer: str, now: datetime) -> bool:
        """Whether tokens of that issuer can be alive: today's, or a past one's while its last token can live."""
        if issuer == self.app.settings.issuer:
            return True
        life = self.longest_life
        return any(
            past.issuer == issuer and (life is None or now < past.until + life) for past in self.app.past_issuers
        )


class _Held:
    """All that a view holds, so that another state can take its place in one step."""

    __slots__ = ("accounts", "apps", "early", "recent", "revision", "revoked")

    def __init__(self, revision: Revision) -> None:
        self.apps: dict[ApiKey, AppTrust] = {}
        self.accounts: dict[AccountId, ServiceAccount] = {}
        self.revoked: dict[ApiKey, AppRevocations] = {}
        self.early: dict[ApiKey, KeyRing] = {}  # keys that came before their app
        # Of tokens and of what is gone no revision is kept; only while older news of it may still come.
        self.recent: dict[tuple[Subject, ApiKey, str], Revision] = {}
        self.revision = revision

    def life_of(self, api_key: ApiKey) -> timedelta | None:
        """How long a token of the app can live; None: for ever, and where the app is not known yet."""
        trust = self.apps.get(api_key)
        return trust.longest_life if trust is not None else None


class TrustView:
    """Everything a worker decides from. Looking things up is a dictionary access and never waits.

    ``look_again`` is for those who found nothing: by default there is nowhere to look.
    """

    def __init__(self, revision: Revision = Revision(0)) -> None:  # noqa: B008 - a number
        self._lock = threading.Lock()
        self._held = _Held(revision)
        self.look_again: LookAgain = _nowhere
        self.changes = 0
        """Grows after whatever was learnt: what was found out since it has this value holds but for the time."""

    # -- reading -------------------------------------------------------------------------------

    @property
    def revision(self) -> Revision:
        """Every change up to this one is in the view."""
        return self._held.revision

    def app(self, api_key: ApiKey) -> AppTrust | None:
        """The app with that key, or None."""
        return self._held.apps.get(api_key)

    def apps(self) -> tuple[App, ...]:
        """All apps, by api_key."""
        return tuple(sorted((trust.app for trust in self._held.apps.copy().values()), key=lambda app: app.api_key))

    def account(self, account_id: AccountId) -> ServiceAccount | None:
        """The service account with that id, or None."""
        return self._held.accounts.get(account_id)

    def accounts(self) -> tuple[ServiceAccount, ...]:
        """All service accounts, by id."""
        return tuple(sorted(self._held.accounts.copy().values(), key=lambda account: account.id))

    def revoked(self, api_key: ApiKey) -> AppRevocations:
        """What is revoked in an app."""
        return self._held.revoked.get(api_key, NOTHING_REVOKED)

    def revocations(self, api_key: ApiKey) -> Iterator[SessionRevoked | TokenRevoked | Watermark]:
        """Everything that is revoked in an app: a snapshot for those who follow from here on."""
        held = self._held
        return held.revoked.get(api_key, NOTHING_REVOKED).records(api_key, held.revision)

    def count_revoked(self) -> int:
        """How many revocations are remembered."""
        return sum(map(len, self._held.revoked.copy().values()))

    def count_endless(self) -> int:
        """How many of them stay for ever, because what they cover can live for ever."""
        held = self._held
        return sum(revoked.count_endless(held.life_of(api_key)) for api_key, revoked in held.revoked.copy().items())

    # -- moving --------------------------------------------------------------------------------

    def put_app(self, app: App) -> None:
        """Learn an app, unless what is known of it is newer."""
        with self._lock:
            held = self._held
            known = held.apps.get(app.api_key)
            if known is None:
                held.apps[app.api_key] = AppTrust(app, held.early.pop(app.api_key, KeyRing()))
            elif known.app.revision <= app.revision:
                held.apps[app.api_key] = AppTrust(app, known.ring)
            self.changes += 1

    def put_keys(self, api_key: ApiKey, keys: Iterable[RingKey], gone: Iterable[Gone] = ()) -> None:
        """Learn keys of an app and which of them are no more, in one step; they may come before their app.

        Each unless what is known of it is newer.
        """
        with self._lock:
            ring = self._ring(api_key)
            news = [key for key in keys if self._is_newer(api_key, ring, key.key_id, _revision(key))]
            lost = [KeyId(each.subject) for each in gone if self._is_newer(api_key, ring, each.subject, each.revision)]
            self._keep_ring(api_key, ring.with_keys(news, gone=lost))
            self.changes += 1

    def put_account(self, account: ServiceAccount) -> None:
        """Learn a service account, unless what is known of it is newer."""
        with self._lock:
            known = self._held.accounts.get(account.id)
            if known is None or known.revision <= account.revision:
                self._held.accounts[account.id] = account
            self.changes += 1

    def put_revocation(self, revocation: SessionRevoked | TokenRevoked | Watermark) -> None:
        """Learn a revocation, unless what is known is newer."""
        with self._lock:
            api_key = revocation.api_key
            of_app = self._revoked_of(api_key)
            match revocation:
                case SessionRevoked():
                    of_app.put_session(revocation.session_id, revocation.until)
                case TokenRevoked():
                    if self._is_news(Subject.TOKEN, api_key, revocation.token_id, revocation.revision):
                        of_app.put_token(revocation.token_id, revocation.until)
                case Watermark():
                    of_app.put_watermark(revocation)
            self.changes += 1

    def load(self, sessions: Rows, tokens: Rows, watermarks: Rows) -> None:
        """Learn very many revocations where none is known yet: rows as ``TrustState`` describes its plain ones.

        Apps are known before: room is made for their share of the rows.
        """
        with self._lock:
            apps = max(1, len(self._held.apps))
            for api_key, rows in groupby(sessions, _API_KEY):
                self._revoked_of(api_key).load_sessions(rows, len(sessions) // apps)
            for api_key, rows in groupby(tokens, _API_KEY):
                self._revoked_of(api_key).load_tokens(rows, len(tokens) // apps)
            for api_key, rows in groupby(watermarks, _API_KEY):
                self._revoked_of(api_key).load_watermarks(rows, len(watermarks) // apps)
            self.changes += 1

    def clear_token(self, gone: Gone) -> None:
        """Forget a single token's revocation, unless what is known of it is newer."""
        with self._lock:
            if self._is_news(Subject.TOKEN, gone.api_key, gone.subject, gone.revision):
                self._held.revoked.get(gone.api_key, NOTHING_REVOKED).drop_token(TokenId(gone.subject))
            self.changes += 1

    def reached(self, revision: Revision) -> None:
        """State that every change up to ``revision`` is in the view."""
        with self._lock:
            held = self._held
            held.revision = max(held.revision, revision)
            if held.recent:
                held.recent = {thing: since for thing, since in held.recent.items() if since > held.revision}

    def prune(self, now: datetime) -> None:
        """Forget revocations that no longer matter to anybody."""
        for _ in self.pruning(now):
            pass

    def pruning(self, now: datetime) -> Iterator[None]:
        """As ``prune``, in steps of some milliseconds, which whoever has better things to do takes one at a time."""
        held, looked_at = self._held, 0
        for api_key, revoked in held.revoked.copy().items():
            steps = revoked.pruning(now, held.life_of(api_key), held.revision)
            while self._held is held:
                with self._lock:
                    buckets = next(steps, 0)
                if not buckets:
                    break
                looked_at += buckets
                if looked_at >= _BUCKETS_A_STEP:
                    looked_at = 0
                    yield

    def become(self, other: TrustView) -> None:
        """Hold what another view holds, in one step; the other must not be used any more."""
        with self._lock:
            self._held = other._held
            self.changes += 1

    def _revoked_of(self, api_key: ApiKey) -> AppRevocations:
        revoked = self._held.revoked.get(api_key)
        if revoked is None:
            revoked = self._held.revoked[api_key] = AppRevocations()
        return revoked

    def _ring(self, api_key: ApiKey) -> KeyRing:
        trust = self._held.apps.get(api_key)
        return trust.ring if trust is not None else self._held.early.get(api_key, KeyRing())

    def _keep_ring(self, api_key: ApiKey, ring: KeyRing) -> None:
        trust = self._held.apps.get(api_key)
        if trust is None:
            self._held.early[api_key] = ring
        else:
            self._held.apps[api_key] = AppTrust(trust.app, ring)

    def _is_newer(self, api_key: ApiKey, ring: KeyRing, key_id: str, revision: Revision) -> bool:
        known = ring.keys.get(KeyId(key_id))
        older = known is not None and _revision(known) > revision
        return not older and self._is_news(Subject.KEY, api_key, key_id, revision)

    def _is_news(self, kind: Subject, api_key: ApiKey, name: str, revision: Revision) -> bool:
        """Whether nothing newer was learnt of that thing; noted for as long as older news may come."""
        held = self._held
        if held.recent and held.recent.get((kind, api_key, name), 0) > revision:
            return False
        if revision > held.revision:
            held.recent[kind, api_key, name] = revision
        return True


def _revision(key: RingKey) -> Revision:
    return key.record.revision if key.record is not None else Revision(0)


def _nowhere(_: Hashable, __: Deadline | None) -> bool:
    return False
