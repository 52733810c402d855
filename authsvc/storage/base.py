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

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from authsvc.clock import Deadline
from authsvc.model import (
    AccountId,
    ApiKey,
    App,
    AuditEvent,
    AuditRow,
    Commit,
    KeyRecord,
    LogLevel,
    Revision,
    SealedSecret,
    ServiceAccount,
    Session,
    SessionId,
    SessionRevoked,
    Subject,
    TokenId,
    TokenRevoked,
    UserId,
    Watermark,
)
from authsvc.storage.columns import Columns

Listener = Callable[[Commit], None]
"""Told of every commit of this process that has a revision, in commit order; must be quick and must not raise.

Commits of other processes may have revisions in between: those are read by ``changes_since``.
"""

__all__ = [
    "AuditFilter",
    "FeedPage",
    "Listener",
    "Purged",
    "Revocation",
    "SealedSecret",
    "SessionState",
    "Store",
    "TrustState",
    "Turn",
]


@dataclass(frozen=True, slots=True)
class TrustState:
    """Everything a worker decides from, as of ``revision``, read at one instant.

    ``sessions`` and ``tokens`` hold only revocations that still matter at the time of reading. There may be a million:
    iterating makes a record at a time, and ``plain()`` gives tuples instead, with moments in microseconds. Of sessions
    api_key, session id, until, revision; of tokens api_key, token id, until or None, revision; of watermarks api_key,
    user id ('' for the app), tokens_revision, tokens_revoked_at or None, tokens_issued_before or None,
    sessions_revision, sessions_created_before or None, revision, sessions_revoked_at or None.
    """

    revision: Revision
    apps: tuple[App, ...]
    keys: tuple[KeyRecord, ...]
    accounts: tuple[ServiceAccount, ...]
    sessions: Columns[SessionRevoked]
    tokens: Columns[TokenRevoked]
    watermarks: Columns[Watermark]
    secrets: tuple[SealedSecret, ...] = ()
    levels: tuple[LogLevel, ...] = ()

    def sealed(self) -> Iterator[bytes]:
        """Everything in it that is sealed under a KEK."""
        yield from (key.sealed for key in self.keys)
        yield from (secret.sealed for secret in self.secrets)


class SessionState(NamedTuple):
    """A session and what its fate is decided by, read at one instant.

    ``covered``: created before its user's or its app's ``sessions_before`` watermark.
    ``now`` is the store's clock, never before ``session.rotated_at``.
    """

    session: Session
    covered: bool
    now: datetime


class Turn(NamedTuple):
    """What ``turn_session`` is told, for a session whose user and scope stay as they are."""

    session_id: SessionId
    generation: int
    request_id_hash: bytes
    idle_ttl: timedelta


@dataclass(frozen=True, slots=True)
class FeedPage:
    """What was committed after a revision, in commit order and without a gap, read at one instant.

    ``head`` is the store's revision at that instant; a page that was cut short ends before it. The content of a
    change is the newest at that instant, so that it may be newer than its commit (its own ``revision`` says so).
    """

    head: Revision
    commits: tuple[Commit, ...]


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows of the audit to read; empty text and None: any. ``since`` is included, ``until`` is not.

    ``apps``: only rows about these apps (None: all rows, those about no app too).
    """

    api_key: str = ""
    principal: str = ""
    action: str = ""
    subject: str = ""
    outcome: str = ""
    since: datetime | None = None
    until: datetime | None = None
    apps: frozenset[ApiKey] | None = None


@dataclass(frozen=True, slots=True)
class Purged:
    """What one purge removed, by table; ``complete`` when nothing was left that could go.

    ``oldest_due``: since when the oldest thing that is still there could have gone, where the store knows.
    """

    removed: Mapping[str, int]
    complete: bool
    oldest_due: datetime | None = None


Revocation = Watermark | SessionRevoked | TokenRevoked


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

    def changes_since(self, after: Revision, *, limit: int = 1000, deadline: Deadline | None = None) -> FeedPage | None:
        """What was committed after that revision by any process, at most ``limit`` commits, oldest first.

        None when the feed no longer reaches back that far: the reader must read ``trust_state`` instead. A commit
        that is in a page must be followed by none with a smaller revision, now or later (revisions are assigned in
        commit order).
        """

    def await_hint(self, seconds: float) -> None:
        """Return when another process may have committed a change, or after that time.

        A hint may be lost or false: whoever waits must look at the feed after a while in any case. Used by one thread
        at a time. Must return early, not raise, when the engine is away or the store is closed.
        """

    # -- service-wide secrets ------------------------------------------------------------------

    def secrets(self, purpose: str) -> tuple[SealedSecret, ...]:
        """All secrets with that purpose, lowest number first."""

    def add_secret(self, secret: SealedSecret, audit: AuditEvent | None = None) -> SealedSecret:
        """Keep a secret under one new revision unless one with its purpose and number is there; must return the one
        that is kept.

        So two processes that start on an empty store end with one. Nothing is audited where it was there.
        """

    def replace_secret(self, secret: SealedSecret, sealed_before: bytes, audit: AuditEvent | None = None) -> bool:
        """Put ``secret.sealed`` in the place of ``sealed_before`` under one new revision (``created_at`` stays).

        False, with nothing changed, when the stored text is another one or there is none.
        """

    def remove_secret(self, purpose: str, number: int, audit: AuditEvent | None = None) -> bool:
        """Forget a secret under one new revision; False when it is not there."""

    # -- keys ----------------------------------------------------------------------------------

    def edit_keys(
        self,
        api_key: ApiKey,
        edit: Callable[[tuple[KeyRecord, ...]], tuple[KeyRecord, ...]],
        audit: AuditEvent | None,
        *,
        deadline: Deadline | None = None,
    ) -> tuple[KeyRecord, ...]:
        """Replace the keys of an app by what ``edit`` makes of them, under one new revision.

        ``edit`` sees all keys of the app, ordered by ``created_at`` and then kid, as ``edit_app`` does; it may add,
        change and leave out. Records that it changed carry the new revision afterwards, those it left out are
        ``Gone``. When it returns what it was given, nothing changes and nothing is audited. Must raise ``NotFound``
        (APP_NOT_FOUND), and ``ValueError`` with nothing changed when two would be active or a key is another app's.
        """

    # -- log levels ----------------------------------------------------------------------------

    def set_levels(
        self, levels: Sequence[LogLevel], *, reset: bool, audit: AuditEvent, deadline: Deadline | None = None
    ) -> Revision:
        """Keep a level for each scope given, in the place of its earlier one; ``reset`` forgets all others first.

        With nothing to set and nothing to forget nothing changes and nothing is audited, and the revision is the
        present one. Must raise ``ValueError`` when a scope is given twice.
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

    def session_states(
        self, session_ids: Sequence[SessionId], *, deadline: Deadline | None = None
    ) -> Sequence[SessionState]:
        """As ``session_state`` for each of them (all different), in any order, without those that are not there."""

    def turn_sessions(self, turns: Sequence[Turn], *, deadline: Deadline | None = None) -> Sequence[datetime | None]:
        """As ``turn_session`` for each of them (all of different sessions), in one transaction.

        Must return, in the order of ``turns``, the new ``idle_expires_at`` of each session that turned, and None for
        one that did not, whatever became of the others.
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

    def revoke_token(
        self,
        api_key: ApiKey,
        token_id: TokenId,
        until: datetime | None,
        audit: AuditEvent,
        *,
        deadline: Deadline | None = None,
    ) -> Revision:
        """End a single token, remembered until that moment (None: for ever); returns the revision it ended under.

        The moment is the caller's to choose, with the skew of those who verify the token in it.
        When it was ended already, and is remembered for as long, nothing changes, nothing is audited, and the revision
        is the earlier one; a later ``until`` replaces the earlier under a new revision. Must raise ``NotFound``
        (APP_NOT_FOUND).
        """

    def clear_token(
        self, api_key: ApiKey, token_id: TokenId, audit: AuditEvent, *, deadline: Deadline | None = None
    ) -> Revision | None:
        """Take back the revocation of a single token; returns the revision that did.

        None, with nothing changed and nothing audited, when there is nothing to take back.
        """

    def clear_watermark(
        self, api_key: ApiKey, user_id: UserId | None, audit: AuditEvent, *, deadline: Deadline | None = None
    ) -> Revision | None:
        """Take back the three parts about tokens; those about sessions stay. Returns the revision that did.

        None, with nothing changed and nothing audited, when there is nothing to take back.
        """

    # -- lists -----------------------------------------------------------------------------------

    def list_sessions(
        self,
        api_key: ApiKey,
        *,
        user_id: UserId | None = None,
        include_ended: bool = False,
        after: SessionId | None = None,
        limit: int = 50,
        deadline: Deadline | None = None,
    ) -> tuple[SessionState, ...]:
        """Sessions of an app, of one user where given, by id, those after ``after``.

        Without ``include_ended``: only those that are not revoked, covered or expired by the store's clock.
        """

    def list_revocations(
        self,
        api_key: ApiKey,
        *,
        kind: Subject,
        user_id: UserId | None = None,
        after: str | None = None,
        limit: int = 50,
        deadline: Deadline | None = None,
    ) -> tuple[Revocation, ...]:
        """What is revoked in an app, of one kind (SESSION, TOKEN or WATERMARK), by what the feed calls it.

        ``after`` is the feed's name of the last one read: session id as text, jti, user id ('' for the app). With
        ``user_id`` only that user's watermark or sessions; tokens are not known by user, so none of those.
        Watermarks with no part left are not listed, nor what ``trust_state`` no longer shows. Raises ``ValueError`` for
        an ``after`` that names nothing of that kind.
        """

    def list_audit(
        self, wanted: AuditFilter, *, before: int | None = None, limit: int = 50, deadline: Deadline | None = None
    ) -> tuple[AuditRow, ...]:
        """Rows of the audit, newest first (largest id), those with an id smaller than ``before``."""

    # -- forgetting ------------------------------------------------------------------------------

    def purge(self, *, limit: int, keep_revisions: int) -> Purged:
        """Remove, in short transactions and at most ``limit`` rows in all, what no longer matters to anybody.

        By the store's clock: sessions whose idle or absolute end has passed, and with it the life of the last access
        token that can have been minted (of a revoked one: ``SessionRevoked.until``); single tokens past ``until``;
        watermarks once no token and no session that they cover can live (the app's ``longest_ttl_ever``,
        ``longest_session_ever``, ``ever_non_expiring`` decide); log levels past their time; rows of the feed older
        than the newest ``keep_revisions``. All but the feed is kept for an hour longer, for clocks that differ or are
        set back. Never: anything by which a token or a session that was revoked could be accepted again. No revision
        is spent. Must be safe in several processes at once.
        """

    # -- reading the log of changes --------------------------------------------------------------

    def counts(self) -> Mapping[str, int]:
        """Rows per table, by table name: for tests, health and people."""
