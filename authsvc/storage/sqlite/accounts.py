"""The statements of service accounts and their credentials."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import apsw

from authsvc.errors import AlreadyExists, NotFound, Reason
from authsvc.model import AccountId, AuditEvent, ServiceAccount
from authsvc.storage.rows.accounts import COLUMNS, CREDENTIAL_COLUMNS, credential_rows, from_row, from_rows, to_row
from authsvc.storage.sqlite.connection import fetch, fetch_one
from authsvc.storage.sqlite.transaction import Transaction


def create_account(
    transaction: Transaction, account: ServiceAccount, audit: AuditEvent, *, only_if_none: bool
) -> ServiceAccount:
    """See ``Store.create_account``."""
    taken = "SELECT 1 FROM accounts LIMIT 1" if only_if_none else "SELECT 1 FROM accounts WHERE id = ? OR name = ?"
    if transaction.fetch_one(taken, () if only_if_none else (account.id, account.name)):
        raise AlreadyExists(Reason.SERVICE_ACCOUNT_EXISTS)
    revision = transaction.next_revision()
    stored = replace(account, revision=revision)
    transaction.fetch(f"INSERT INTO accounts ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", to_row(stored))
    _insert_credentials(transaction, stored)
    transaction.publish(revision, (stored,), audit)
    return stored


def edit_account(
    transaction: Transaction,
    account_id: AccountId,
    edit: Callable[[ServiceAccount], ServiceAccount],
    audit: AuditEvent,
) -> ServiceAccount:
    """See ``Store.edit_account``."""
    before = _read_account(transaction.connection, account_id)
    after = replace(edit(before), created_at=before.created_at, updated_at=transaction.clock())
    if after.id != account_id:
        raise ValueError("an edit must not change an account's id")
    if transaction.fetch_one("SELECT 1 FROM accounts WHERE name = ? AND id <> ?", (after.name, account_id)):
        raise AlreadyExists(Reason.SERVICE_ACCOUNT_EXISTS)
    revision = transaction.next_revision()
    stored = replace(after, version=before.version + 1, revision=revision)
    transaction.fetch(
        f"UPDATE accounts SET ({COLUMNS}) = (?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?", (*to_row(stored), account_id)
    )
    transaction.fetch("DELETE FROM credentials WHERE account_id = ?", (account_id,))
    _insert_credentials(transaction, stored)
    transaction.publish(revision, (stored,), audit)
    return stored


def read_accounts(connection: apsw.Connection) -> tuple[ServiceAccount, ...]:
    """All accounts with their credentials, by id."""
    rows = fetch(connection, f"SELECT {COLUMNS} FROM accounts ORDER BY id")
    statement = f"SELECT {CREDENTIAL_COLUMNS} FROM credentials ORDER BY account_id, position"
    return from_rows(rows, fetch(connection, statement))


def _read_account(connection: apsw.Connection, account_id: AccountId) -> ServiceAccount:
    row = fetch_one(connection, f"SELECT {COLUMNS} FROM accounts WHERE id = ?", (account_id,))
    if row is None:
        raise NotFound(Reason.SERVICE_ACCOUNT_NOT_FOUND)
    statement = f"SELECT {CREDENTIAL_COLUMNS} FROM credentials WHERE account_id = ? ORDER BY position"
    return from_row(row, fetch(connection, statement, (account_id,)))


def _insert_credentials(transaction: Transaction, account: ServiceAccount) -> None:
    for row in credential_rows(account):
        transaction.fetch(f"INSERT INTO credentials ({CREDENTIAL_COLUMNS}) VALUES (?, ?, ?, ?, ?)", row)
