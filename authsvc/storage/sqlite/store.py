"""The embedded store: each method of the contract on the writer or on a reader."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from authsvc.clock import Clock, Deadline, to_microseconds
from authsvc.model import (
    AccountId,
    ApiKey,
    App,
    AuditEvent,
    AuditRow,
    KeyRecord,
    LogLevel,
    Revision,
    ServiceAccount,
    Session,
    SessionId,
    Subject,
    TokenId,
    UserId,
)
from authsvc.storage.base import (
    AuditFilter,
    FeedPage,
    Listener,
    Purged,
    Revocation,
    SealedSecret,
    SessionState,
    TrustState,
    Turn,
)
from authsvc.storage.batches import BatchObserver
from authsvc.storage.errors import NotTheStore
from authsvc.storage.rows import sessions as session_rows
from authsvc.storage.rows.lists import after_revocation, after_session
from authsvc.storage.rows.moments import optional_moment
from authsvc.storage.rows.purging import Due, Round, purge
from authsvc.storage.rows.revocations import user_column
from authsvc.storage.sqlite import (
    accounts,
    apps,
    following,
    keys,
    lists,
    purging,
    secrets,
    sessions,
    tokens,
    trust,
    watermarks,
)
from authsvc.storage.sqlite import levels as log_levels
from authsvc.storage.sqlite.audit import read_audit
from authsvc.storage.sqlite.connection import Database, Row, fetch
from authsvc.storage.sqlite.faults import ENGINE_FAULTS
from authsvc.storage.sqlite.hints import Hints
from authsvc.storage.sqlite.lock import Lock
from authsvc.storage.sqlite.readers import Readers
from authsvc.storage.sqlite.seat import note_seat
from authsvc.storage.sqlite.writer import Writer


class SqliteStore:
    """The contract ``authsvc.storage.base.Store`` on one SQLite file. Made by ``open_sqlite``."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        forgets_by: Clock,
        epoch: int,
        lock: Lock,
        observer: BatchObserver,
    ) -> None:
        self._clock = clock
        self._forgets_by = forgets_by
        self._epoch = epoch
        self._lock = lock
        self._closing = threading.Lock()
        self._closed = False
        self._path = database.path
        self._anchor = database.anchor()
        self._readers = Readers(lambda: database.connect(query_only=True))
        self._hints = Hints(lambda: database.connect(query_only=True))
        self._writer = Writer(database.connect, clock, observer)

    @property
    def epoch(self) -> int:
        return self._epoch

    def listen(self, listener: Listener) -> None:
        self._writer.listen(listener)

    def ping(self, *, deadline: Deadline | None = None) -> None:
        self._readers.read(lambda connection: fetch(connection, "SELECT 1 FROM meta"), deadline=deadline)
        self._writer.run(
            # A row that is really written: an empty transaction would succeed on a full disk.
            lambda transaction: transaction.fetch(
                "UPDATE meta SET probed_at = max(?, probed_at + 1)", (to_microseconds(transaction.clock()),)
            ),
            deadline=deadline,
        )

    def close(self) -> None:
        with self._closing:
            if not self._closed:
                self._closed = True
                self._writer.close()
                self._readers.close()
                self._hints.close()
                with contextlib.suppress(*ENGINE_FAULTS, OSError, NotTheStore):
                    note_seat(self._anchor, self._path)
                self._anchor.close(True)
                self._lock.close()

    def trust_state(self) -> TrustState:
        now, over_at = self._clock(), self._forgets_by()
        return self._readers.read_at_one_instant(lambda connection: trust.read_trust_state(connection, now, over_at))

    def changes_since(self, after: Revision, *, limit: int = 1000, deadline: Deadline | None = None) -> FeedPage | None:
        return self._readers.read_at_one_instant(
            lambda connection: following.read_changes(connection, after, limit), deadline=deadline
        )

    def await_hint(self, seconds: float) -> None:
        self._hints.wait(seconds)

    def secrets(self, purpose: str) -> tuple[SealedSecret, ...]:
        return self._readers.read(lambda connection: secrets.read_secrets(connection, purpose))

    def add_secret(self, secret: SealedSecret, audit: AuditEvent | None = None) -> SealedSecret:
        return self._writer.run(lambda transaction: secrets.add_secret(transaction, secret, audit))

    def replace_secret(self, secret: SealedSecret, sealed_before: bytes, audit: AuditEvent | None = None) -> bool:
        return self._writer.run(lambda transaction: secrets.replace_secret(transaction, secret, sealed_before, audit))

    def remove_secret(self, purpose: str, number: int, audit: AuditEvent | None = None) -> bool:
        return self._writer.run(lambda transaction: secrets.remove_secret(transaction, purpose, number, audit))

    def edit_keys(
        self,
        api_key: ApiKey,
        edit: Callable[[tuple[KeyRecord, ...]], tuple[KeyRecord, ...]],
        audit: AuditEvent | None,
        *,
        deadline: Deadline | None = None,
    ) -> tuple[KeyRecord, ...]:
        return self._writer.run(
            lambda transaction: keys.edit_keys(transaction, api_key, edit, audit), deadline=deadline
        )

    def set_levels(
        self, levels: Sequence[LogLevel], *, reset: bool, audit: AuditEvent, deadline: Deadline | None = None
    ) -> Revision:
        return self._writer.run(
            lambda transaction: log_levels.set_levels(transaction, levels, reset=reset, audit=audit), deadline=deadline
        )

    def create_app(self, app: App, key: KeyRecord, audit: AuditEvent, *, deadline: Deadline | None = None) -> App:
        return self._writer.run(lambda transaction: apps.create_app(transaction, app, key, audit), deadline=deadline)

    def edit_app(
        self, api_key: ApiKey, edit: Callable[[App], App], audit: AuditEvent, *, deadline: Deadline | None = None
    ) -> App:
        return self._writer.run(lambda transaction: apps.edit_app(transaction, api_key, edit, audit), deadline=deadline)

    def create_account(
        self,
        account: ServiceAccount,
        audit: AuditEvent,
        *,
        only_if_none: bool = False,
        deadline: Deadline | None = None,
    ) -> ServiceAccount:
        return self._writer.run(
            lambda transaction: accounts.create_account(transaction, account, audit, only_if_none=only_if_none),
            deadline=deadline,
        )

    def edit_account(
        self,
        account_id: AccountId,
        edit: Callable[[ServiceAccount], ServiceAccount],
        audit: AuditEvent,
        *,
        deadline: Deadline | None = None,
    ) -> ServiceAccount:
        return self._writer.run(
            lambda transaction: accounts.edit_account(transaction, account_id, edit, audit), deadline=deadline
        )

    def open_session(self, session: Session, *, deadline: Deadline | None = None) -> Session:
        row = session_rows.to_row(session)
        kept = self._writer.run(lambda transaction: sessions.open_session(transaction, row), deadline=deadline)
        return session_rows.from_row(kept)

    def session_state(self, session_id: SessionId, *, deadline: Deadline | None = None) -> SessionState | None:
        found = self._readers.read(lambda connection: sessions.read_session(connection, session_id), deadline=deadline)
        return None if found is None else self._state(*found)

    def _state(self, row: Row, covered: bool) -> SessionState:
        session = session_rows.from_row(row)
        return SessionState(session, covered, max(self._clock(), session.rotated_at))

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
        turn = session_rows.turn_values(Turn(session_id, generation, request_id_hash, idle_ttl), changed)
        turned = self._writer.run(lambda transaction: sessions.turn_session(transaction, turn), deadline=deadline)
        return None if turned is None else session_rows.from_row(turned)

    def session_states(
        self, session_ids: Sequence[SessionId], *, deadline: Deadline | None = None
    ) -> Sequence[SessionState]:
        found = self._readers.read(
            lambda connection: [sessions.read_session(connection, session_id) for session_id in session_ids],
            deadline=deadline,
        )
        return [self._state(*one) for one in found if one is not None]

    def turn_sessions(self, turns: Sequence[Turn], *, deadline: Deadline | None = None) -> Sequence[datetime | None]:
        values = [session_rows.turn_values(turn) for turn in turns]
        turned = self._writer.run(lambda transaction: sessions.turn_sessions(transaction, values), deadline=deadline)
        return [optional_moment(idle_expires_at) for idle_expires_at in turned]

    def revoke_session(
        self, session_id: SessionId, reason: str, audit: AuditEvent, *, deadline: Deadline | None = None
    ) -> bool:
        return self._writer.run(
            lambda transaction: sessions.revoke_session(transaction, session_id, reason, audit), deadline=deadline
        )

    def raise_watermark(
        self,
        api_key: ApiKey,
        user_id: UserId | None,
        audit: AuditEvent,
        *,
        issued_before: datetime | None = None,
        deadline: Deadline | None = None,
    ) -> Revision:
        return self._writer.run(
            lambda transaction: watermarks.raise_watermark(transaction, api_key, user_id, audit, issued_before),
            deadline=deadline,
        )

    def revoke_token(
        self,
        api_key: ApiKey,
        token_id: TokenId,
        until: datetime | None,
        audit: AuditEvent,
        *,
        deadline: Deadline | None = None,
    ) -> Revision:
        return self._writer.run(
            lambda transaction: tokens.revoke_token(transaction, api_key, token_id, until, audit), deadline=deadline
        )

    def clear_token(
        self, api_key: ApiKey, token_id: TokenId, audit: AuditEvent, *, deadline: Deadline | None = None
    ) -> Revision | None:
        return self._writer.run(
            lambda transaction: tokens.clear_token(transaction, api_key, token_id, audit), deadline=deadline
        )

    def clear_watermark(
        self, api_key: ApiKey, user_id: UserId | None, audit: AuditEvent, *, deadline: Deadline | None = None
    ) -> Revision | None:
        return self._writer.run(
            lambda transaction: watermarks.clear_watermark(transaction, api_key, user_id, audit), deadline=deadline
        )

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
        page = self._page(api_key, user_id, after_session(after), limit)
        return self._readers.read(
            lambda connection: lists.read_sessions(connection, page, include_ended=include_ended), deadline=deadline
        )

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
        page = self._page(api_key, user_id, after_revocation(kind, after), limit)
        return self._readers.read(
            lambda connection: lists.read_revocations(connection, page, kind=kind), deadline=deadline
        )

    def list_audit(
        self, wanted: AuditFilter, *, before: int | None = None, limit: int = 50, deadline: Deadline | None = None
    ) -> tuple[AuditRow, ...]:
        return self._readers.read(
            lambda connection: read_audit(connection, wanted, before=before, limit=limit), deadline=deadline
        )

    def purge(self, *, limit: int, keep_revisions: int) -> Purged:
        def due() -> Due:
            now = to_microseconds(self._forgets_by())
            return self._readers.read(lambda connection: purging.read_due(connection, now, keep_revisions))

        def step(table: str, most: int) -> Round:
            return self._writer.run(lambda transaction: purging.purge_some(transaction, table, most, keep_revisions))

        return purge(due, step, limit)

    def counts(self) -> Mapping[str, int]:
        return self._readers.read_at_one_instant(trust.read_counts)

    def _page(self, api_key: ApiKey, user_id: UserId | None, after: bytes | str | None, limit: int) -> lists.Page:
        if user_id is not None:
            user_column(user_id)  # an empty one would stand for the whole app
        return {
            "api_key": api_key,
            "user_id": user_id,
            "after": after,
            "limit": limit,
            "now": to_microseconds(self._clock()),
        }
