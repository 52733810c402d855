"""The store on PostgreSQL: each method of the contract as one transaction or one read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from authsvc.clock import Deadline, from_microseconds
from authsvc.errors import NotFound, Reason
from authsvc.model import (
    AccountId,
    ApiKey,
    App,
    AuditEvent,
    KeyRecord,
    Revision,
    ServiceAccount,
    Session,
    SessionId,
    UserId,
)
from authsvc.storage.base import Listener, SealedSecret, SessionState, TrustState
from authsvc.storage.postgres import accounts, apps, secrets, sessions, trust, watermarks
from authsvc.storage.postgres.announcing import Announcer
from authsvc.storage.postgres.links import Links
from authsvc.storage.postgres.lock import ExclusiveLock
from authsvc.storage.postgres.present import NOW, Present, microseconds
from authsvc.storage.postgres.statement import Statement
from authsvc.storage.postgres.transactions import Transactions
from authsvc.storage.rows import secrets as secret_rows
from authsvc.storage.rows import sessions as session_rows
from authsvc.storage.rows.moments import lifetime_microseconds
from authsvc.storage.texts import claims_text

# A row that is really written: a server that takes no changes would still answer a question.
_PROBE = Statement(f"UPDATE meta SET probed_at = greatest({NOW}, probed_at + 1)")  # noqa: S608 - a constant


class PostgresStore:
    """The contract ``authsvc.storage.base.Store`` on one PostgreSQL database. Made by ``open_postgres``."""

    def __init__(
        self, links: Links, announcer: Announcer, *, epoch: int, present: Present, lock: ExclusiveLock | None
    ) -> None:
        self._links = links
        self._announcer = announcer
        self._epoch = epoch
        self._present = present
        self._lock = lock
        self._closing = threading.Lock()
        self._transactions = Transactions(links, announcer, present, self._check)

    @property
    def epoch(self) -> int:
        return self._epoch

    def listen(self, listener: Listener) -> None:
        self._announcer.listen(listener)

    def ping(self, *, deadline: Deadline | None = None) -> None:
        self._transactions.catch_up(deadline=deadline)
        self._transactions.change(_PROBE(present=microseconds(self._present)), deadline=deadline)

    def close(self) -> None:
        with self._closing:
            self._links.close()
            if self._lock is not None:
                self._lock.close()

    def trust_state(self) -> TrustState:
        present = microseconds(self._present)
        state = self._transactions.read_at_one_instant(lambda fetch: trust.read_trust_state(fetch, present))
        self._announcer.know(state.revision)
        return state

    def secrets(self, purpose: str) -> tuple[SealedSecret, ...]:
        return tuple(map(secret_rows.from_row, self._transactions.read(secrets.READ_ALL(purpose=purpose))))

    def add_secret(self, secret: SealedSecret) -> SealedSecret:
        return self._transactions.run(lambda transaction: secrets.add_secret(transaction, secret))

    def create_app(self, app: App, key: KeyRecord, audit: AuditEvent, *, deadline: Deadline | None = None) -> App:
        return self._transactions.run(
            lambda transaction: apps.create_app(transaction, app, key, audit), deadline=deadline
        )

    def edit_app(
        self, api_key: ApiKey, edit: Callable[[App], App], audit: AuditEvent, *, deadline: Deadline | None = None
    ) -> App:
        return self._transactions.run(
            lambda transaction: apps.edit_app(transaction, api_key, edit, audit), deadline=deadline
        )

    def create_account(
        self,
        account: ServiceAccount,
        audit: AuditEvent,
        *,
        only_if_none: bool = False,
        deadline: Deadline | None = None,
    ) -> ServiceAccount:
        return self._transactions.run(
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
        return self._transactions.run(
            lambda transaction: accounts.edit_account(transaction, account_id, edit, audit), deadline=deadline
        )

    def open_session(self, session: Session, *, deadline: Deadline | None = None) -> Session:
        opening = sessions.OPEN.of(session_rows.to_row(session))
        while True:
            rows = self._transactions.change(opening, deadline=deadline) or self._transactions.read(
                sessions.READ(id=session.id), deadline=deadline
            )
            if rows:
                return session_rows.from_row(rows[0])
            if not self._transactions.read(apps.IS_THERE(api_key=session.api_key), deadline=deadline):
                raise NotFound(Reason.APP_NOT_FOUND)

    def session_state(self, session_id: SessionId, *, deadline: Deadline | None = None) -> SessionState | None:
        request = sessions.STATE(id=session_id, present=microseconds(self._present))
        for *columns, covered, now in self._transactions.read(request, deadline=deadline):
            return SessionState(session_rows.from_row(tuple(columns)), covered, from_microseconds(now))
        return None

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
        rows = self._transactions.change(
            sessions.TURN(
                id=session_id,
                generation=generation,
                request_id_hash=request_id_hash,
                idle_ttl=lifetime_microseconds(idle_ttl),
                claims=None if changed is None else claims_text(changed),
                present=microseconds(self._present),
            ),
            deadline=deadline,
        )
        return session_rows.from_row(rows[0]) if rows else None

    def revoke_session(
        self, session_id: SessionId, reason: str, audit: AuditEvent, *, deadline: Deadline | None = None
    ) -> bool:
        return self._transactions.run(
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
        return self._transactions.run(
            lambda transaction: watermarks.raise_watermark(transaction, api_key, user_id, audit, issued_before),
            deadline=deadline,
        )

    def counts(self) -> Mapping[str, int]:
        return self._transactions.read_at_one_instant(trust.read_counts)

    def _check(self) -> None:
        if self._lock is not None:
            self._lock.check()
