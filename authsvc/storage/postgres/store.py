"""The store on PostgreSQL: each method of the contract as one transaction or one read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from authsvc.clock import Deadline, from_microseconds
from authsvc.errors import NotFound, Reason
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
from authsvc.storage.batches import StoreObserver
from authsvc.storage.postgres import (
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
from authsvc.storage.postgres import audit as audit_rows
from authsvc.storage.postgres import levels as log_levels
from authsvc.storage.postgres.announcing import Announcer
from authsvc.storage.postgres.hints import Hints
from authsvc.storage.postgres.links import Links
from authsvc.storage.postgres.lock import StoreLock
from authsvc.storage.postgres.present import NOW, Present, microseconds
from authsvc.storage.postgres.statement import Statement
from authsvc.storage.postgres.transactions import WHOLE_STATE_SECONDS, Transactions
from authsvc.storage.rows import feed as feed_rows
from authsvc.storage.rows import secrets as secret_rows
from authsvc.storage.rows import sessions as session_rows
from authsvc.storage.rows.moments import lifetime_microseconds, optional_moment
from authsvc.storage.rows.purging import purge

# A row that is really written: a server that takes no changes would still answer a question.
_PROBE = Statement(f"UPDATE meta SET probed_at = greatest({NOW}, probed_at + 1)")  # noqa: S608 - a constant


class PostgresStore:
    """The contract ``authsvc.storage.base.Store`` on one PostgreSQL database. Made by ``open_postgres``."""

    def __init__(
        self, links: Links, hints: Hints, lock: StoreLock, *, present: Present, origin: str, observer: StoreObserver
    ) -> None:
        self._links = links
        self._hints = hints
        self._announcer = Announcer()
        self._present = present
        self._lock = lock
        self._closing = threading.Lock()
        self._transactions = Transactions(links, self._announcer, present, lock.check, origin, observer)

    @property
    def epoch(self) -> int:
        return self._lock.epoch

    def listen(self, listener: Listener) -> None:
        self._announcer.listen(listener)

    def ping(self, *, deadline: Deadline | None = None) -> None:
        self._transactions.catch_up(deadline=deadline)
        self._transactions.change(_PROBE(present=microseconds(self._present)), deadline=deadline)

    def close(self) -> None:
        with self._closing:
            self._hints.close()
            self._links.close()
            self._lock.close()

    def trust_state(self) -> TrustState:
        present = microseconds(self._present)
        return self._transactions.read_at_one_instant(
            lambda fetch: trust.read_trust_state(fetch, present), seconds=WHOLE_STATE_SECONDS
        )

    def changes_since(self, after: Revision, *, limit: int = 1000, deadline: Deadline | None = None) -> FeedPage | None:
        ((head,),) = self._transactions.read(following.HEAD(), deadline=deadline)
        if head <= after:  # as it is nearly always
            return FeedPage(Revision(head), ())
        return self._transactions.read_at_one_instant(
            lambda fetch: following.read_changes(fetch, after, limit), deadline=deadline
        )

    def await_hint(self, seconds: float) -> None:
        self._hints.wait(seconds)

    def secrets(self, purpose: str) -> tuple[SealedSecret, ...]:
        return tuple(map(secret_rows.from_row, self._transactions.read(secrets.READ_OF(purpose=purpose))))

    def add_secret(self, secret: SealedSecret, audit: AuditEvent | None = None) -> SealedSecret:
        return self._transactions.run(lambda transaction: secrets.add_secret(transaction, secret, audit))

    def replace_secret(self, secret: SealedSecret, sealed_before: bytes, audit: AuditEvent | None = None) -> bool:
        return self._transactions.run(
            lambda transaction: secrets.replace_secret(transaction, secret, sealed_before, audit)
        )

    def remove_secret(self, purpose: str, number: int, audit: AuditEvent | None = None) -> bool:
        return self._transactions.run(lambda transaction: secrets.remove_secret(transaction, purpose, number, audit))

    def edit_keys(
        self,
        api_key: ApiKey,
        edit: Callable[[tuple[KeyRecord, ...]], tuple[KeyRecord, ...]],
        audit: AuditEvent | None,
        *,
        deadline: Deadline | None = None,
    ) -> tuple[KeyRecord, ...]:
        return self._transactions.run(
            lambda transaction: keys.edit_keys(transaction, api_key, edit, audit), deadline=deadline
        )

    def set_levels(
        self, levels: Sequence[LogLevel], *, reset: bool, audit: AuditEvent, deadline: Deadline | None = None
    ) -> Revision:
        return self._transactions.run(
            lambda transaction: log_levels.set_levels(transaction, levels, reset=reset, audit=audit), deadline=deadline
        )

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
            sessions.TURN.of(
                {
                    **session_rows.turn_values(Turn(session_id, generation, request_id_hash, idle_ttl), changed),
                    "present": microseconds(self._present),
                }
            ),
            deadline=deadline,
        )
        return session_rows.from_row(rows[0]) if rows else None

    def session_states(
        self, session_ids: Sequence[SessionId], *, deadline: Deadline | None = None
    ) -> Sequence[SessionState]:
        request = sessions.STATES(ids=tuple(session_ids), present=microseconds(self._present))
        return [
            SessionState(session_rows.from_row(tuple(columns)), covered, from_microseconds(now))
            for *columns, covered, now in (self._transactions.read(request, deadline=deadline) if session_ids else ())
        ]

    def turn_sessions(self, turns: Sequence[Turn], *, deadline: Deadline | None = None) -> Sequence[datetime | None]:
        if not turns:
            return []
        ordered = sorted(turns)  # so that rivals lock the same rows in the same order
        request = sessions.TURN_MANY(
            ids=tuple(turn.session_id for turn in ordered),
            generations=tuple(str(turn.generation) for turn in ordered),
            hashes=tuple(turn.request_id_hash for turn in ordered),
            idle_ttls=tuple(str(lifetime_microseconds(turn.idle_ttl)) for turn in ordered),
            present=microseconds(self._present),
        )
        turned: dict[bytes, int] = dict(self._transactions.change(request, changes=len(turns), deadline=deadline))
        return [optional_moment(turned.get(turn.session_id)) for turn in turns]

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

    def revoke_token(
        self,
        api_key: ApiKey,
        token_id: TokenId,
        until: datetime | None,
        audit: AuditEvent,
        *,
        deadline: Deadline | None = None,
    ) -> Revision:
        return self._transactions.run(
            lambda transaction: tokens.revoke_token(transaction, api_key, token_id, until, audit), deadline=deadline
        )

    def clear_token(
        self, api_key: ApiKey, token_id: TokenId, audit: AuditEvent, *, deadline: Deadline | None = None
    ) -> Revision | None:
        return self._transactions.run(
            lambda transaction: tokens.clear_token(transaction, api_key, token_id, audit), deadline=deadline
        )

    def clear_watermark(
        self, api_key: ApiKey, user_id: UserId | None, audit: AuditEvent, *, deadline: Deadline | None = None
    ) -> Revision | None:
        return self._transactions.run(
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
        fetch = partial(self._transactions.read, deadline=deadline)
        present = microseconds(self._present)
        return lists.read_sessions(
            fetch, api_key, user_id, after, include_ended=include_ended, limit=limit, present=present
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
        fetch = partial(self._transactions.read, deadline=deadline)
        present = microseconds(self._present)
        return lists.read_revocations(fetch, api_key, user_id, after, kind=kind, limit=limit, present=present)

    def list_audit(
        self, wanted: AuditFilter, *, before: int | None = None, limit: int = 50, deadline: Deadline | None = None
    ) -> tuple[AuditRow, ...]:
        reading = audit_rows.reading(wanted, before=before, limit=limit)
        return tuple(map(feed_rows.audit_from, self._transactions.read(reading, deadline=deadline)))

    def purge(self, *, limit: int, keep_revisions: int) -> Purged:
        values = {"keep": keep_revisions, "present": microseconds(self._present)}
        return purge(
            lambda: purging.read_due(self._transactions.read, values),
            lambda table, most: purging.purge_some(
                self._transactions.change, self._transactions.run, values, table, most
            ),
            limit,
        )

    def counts(self) -> Mapping[str, int]:
        return self._transactions.read_at_one_instant(trust.read_counts, seconds=WHOLE_STATE_SECONDS)
