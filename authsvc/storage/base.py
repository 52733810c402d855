"""The contract every backend keeps. ``tests/storage/`` is its executable form: a *must* here is a test there.

All methods are safe to call from many threads at once. They raise:

- ``Unavailable`` (STORE_UNAVAILABLE) when the engine cannot do it now, or the store is closed. A method that
  raised it must not have been acknowledged: a later read may show the change or not, never half of it.
- ``DeadlinePassed`` when ``deadline`` passed before the work was begun, or while it waited for another's; then
  nothing was changed.

A method that changes something must have made it durable before it returns, and must have told the store's
listener of the commit, in commit order, before it returns. Moments are kept to the microsecond in UTC; identifiers
that differ only in case must be different identifiers. Identifiers, names and what the audit says must not hold a NUL
character: a call with one must raise ``ValueError`` and change nothing; inside custom data NUL is kept like any other.

The store's clock is PostgreSQL's own (``clock_timestamp()``), and on SQLite the one that is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from authsvc.clock import Deadline
from authsvc.model import (
    AccountId,
    ApiKey,
    App,
    AuditEvent,
    Commit,
    KeyRecord,
    Revision,
    ServiceAccount,
    Session,
    SessionId,
    SessionRevoked,
    TokenRevoked,
    UserId,
    Watermark,
)

Listener = Callable[[Commit], None]
"""Told of every commit of this process that has a revision, in commit order; must be quick and must not raise."""


@dataclass(frozen=True, slots=True)
class TrustState:
    """Everything a worker decides from, as of ``revision``, read at one instant.

    ``sessions`` holds only revocations that still matter at the time of reading.
    """

    revision: Revision
    apps: tuple[App, ...]
    keys: tuple[KeyRecord, ...]
    accounts: tuple[ServiceAccount, ...]
    sessions: tuple[SessionRevoked, ...]
    tokens: tuple[TokenRevoked, ...]
    watermarks: tuple[Watermark, ...]


@dataclass(frozen=True, slots=True)
class SessionState:
    """A session and what its fate is decided by, read at one instant.

    ``covered``: created before its user's or its app's ``sessions_before`` watermark.
    ``now`` is the store's clock, never before ``session.rotated_at``.
    """

    session: Session
    covered: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A service-wide secret at rest: ``number`` tells the ones with the same purpose apart (0..255)."""

    purpose: str
    number: int
    sealed: bytes
    created_at: datetime


class Store(Protocol):
    """A backend. Obtained from ``authsvc.storage.open_store``, with the schema this program knows."""

    @property
    def epoch(self) -> int:
        """The store's epoch, 1..65535: it grows when a backup is restored."""

    def listen(self, listener: Listener) -> None:
        """Make ``listener`` the one that is told of commits, from the next one on."""

    def ping(self, *, deadline: Deadline | None = None) -> None:
        """Must raise ``Unavailable`` when a read or a write could not be served now."""

    def close(self) -> None:
        """Finish what was begun and refuse the rest. Closing twice is harmless."""

    # -- what a worker decides from ------------------------------------------------------------

    def trust_state(self) -> TrustState:
        """Read everything the trust view holds, at one instant."""

    # -- service-wide secrets ------------------------------------------------------------------

    def secrets(self, purpose: str) -> tuple[SealedSecret, ...]:
        """All secrets with that purpose, lowest number first."""

    def add_secret(self, secret: SealedSecret) -> SealedSecret:
        """Keep a secret unless one with its purpose and number is there; must return the one that is kept.

        So two processes that start on an empty store end with one.
        """

    # -- apps ----------------------------------------------------------------------------------

    def create_app(self, app: App, key: KeyRecord, audit: AuditEvent, *, deadline: Deadline | None = None) -> App:
        """Keep a new app and its first key under one new revision.

        Must raise ``AlreadyExists`` (APP_EXISTS) and change nothing when the api_key is taken. The revisions
        inside ``app`` and ``key`` are ignored; the returned app carries the new one.
        """

    def edit_app(
        self, api_key: ApiKey, edit: Callable[[App], App], audit: AuditEvent, *, deadline: Deadline | None = None
    ) -> App:
        """Replace an app by what ``edit`` makes of it, under one new revision and ``version + 1``.

        ``edit`` sees the stored app, no other edit comes between, and what it raises passes through with nothing
        changed. It may be called again after a conflict, and must not rename the app. Must raise ``NotFound``
        (APP_NOT_FOUND). ``updated_at`` is set by the store's clock.
        """

    # -- service accounts ----------------------------------------------------------------------

    def create_account(
        self,
        account: ServiceAccount,
        audit: AuditEvent,
        *,
        only_if_none: bool = False,
        deadline: Deadline | None = None,
    ) -> ServiceAccount:
        """Keep a new service account with its credentials under one new revision.

        Must raise ``AlreadyExists`` (SERVICE_ACCOUNT_EXISTS) and change nothing when the id or the name is taken, or
        with ``only_if_none`` when any account exists.
        """

    def edit_account(
        self,
        account_id: AccountId,
        edit: Callable[[ServiceAccount], ServiceAccount],
        audit: AuditEvent,
        *,
        deadline: Deadline | None = None,
    ) -> ServiceAccount:
        """As ``edit_app``, for an account and its credentials.

        Must raise ``NotFound`` (SERVICE_ACCOUNT_NOT_FOUND), and ``AlreadyExists`` (SERVICE_ACCOUNT_EXISTS) when the
        new name is another account's.
        """

    # -- sessions ------------------------------------------------------------------------------

    def open_session(self, session: Session, *, deadline: Deadline | None = None) -> Session:
        """Keep a new session unless one with its id is there; must return the one that is kept, unchanged.

        ``created_revision`` is set by the store to the feed's revision inside the same transaction. No revision is
        spent: sessions that begin or rotate write nothing to the feed. Must raise ``NotFound`` (APP_NOT_FOUND) when the
        session's app is not there.
        """

    def session_state(self, session_id: SessionId, *, deadline: Deadline | None = None) -> SessionState | None:
        """Read a session as every earlier acknowledged call left it; None when there is none."""

    def turn_session(
        self,
        session_id: SessionId,
        generation: int,
        *,
        request_id_hash: bytes,
        idle_ttl: timedelta,
        changed: Session | None = None,
        deadline: Deadline | None = None,
    ) -> Session | None:
        """Turn the session from ``generation`` to ``generation + 1`` in one conditional statement.

        Must turn only a session whose stored generation is that one, that is not revoked, not covered by a watermark
        and not expired by the store's clock; otherwise returns None and changes nothing. Of callers that present the
        same generation at the same time, exactly one must get a session back. Sets ``rotated_at`` to the store's
        clock (never before the old value), ``request_id_hash``, and ``idle_expires_at`` to ``rotated_at + idle_ttl``
        but not past ``absolute_expires_at``. A moment of expiry has passed when it is not after the store's clock.
        With ``changed``, the session as it was read but for its user's data and its scope, the turn keeps those too.
        """

    def revoke_session(
        self, session_id: SessionId, reason: str, audit: AuditEvent, *, deadline: Deadline | None = None
    ) -> bool:
        """End a session with its audit row and its feed row in one transaction.

        True when this call ended it; False, with nothing changed and nothing audited, when it was revoked already or
        is not there. ``generation`` and ``rotated_at`` stay as they were; ``revoked_at`` is never before that.
        """

    def raise_watermark(
        self,
        api_key: ApiKey,
        user_id: UserId | None,
        audit: AuditEvent,
        *,
        issued_before: datetime | None = None,
        deadline: Deadline | None = None,
    ) -> Revision:
        """Revoke all tokens and sessions of a user (None: of the app) in O(1); returns the new revision R.

        Without ``issued_before``: everything up to now, that is ``tokens_revision`` and ``sessions_revision`` become R
        and ``tokens_revoked_at`` the store's clock. With it: only the two times move. No part ever shrinks, whatever
        order the calls arrive in. Must raise ``NotFound`` (APP_NOT_FOUND) when the app is not there.
        """

    # -- reading the log of changes --------------------------------------------------------------

    def counts(self) -> Mapping[str, int]:
        """Rows per table, by table name: for tests, health and people."""
