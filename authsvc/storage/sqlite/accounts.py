"""Service accounts and their credentials: rows and records, and the statements that change them."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import apsw

from authsvc.clock import from_microseconds, to_microseconds
from authsvc.errors import AlreadyExists, NotFound, Reason
from authsvc.model import AccountId, AuditEvent, Credential, CredentialId, Revision, ServiceAccount
from authsvc.storage.sqlite.connection import Row, fetch, fetch_one
from authsvc.storage.sqlite.transaction import Transaction
from authsvc.storage.texts import rights_from, rights_text

_COLUMNS = "id, name, rights, disabled, version, revision, created_at, updated_at"
_CREDENTIAL_COLUMNS = "account_id, position, id, digest, created_at"


def create_account(
    transaction: Transaction, account: ServiceAccount, audit: AuditEvent, *, only_if_none: bool
) -> ServiceAccount:
    """See ``Store.create_account``."""
    taken = "SELECT 1 FROM accounts LIMIT 1" if only_if_none else "SELECT 1 FROM accounts WHERE id = ? OR name = ?"
    if transaction.fetch_one(taken, () if only_if_none else (account.id, account.name)):
        raise AlreadyExists(Reason.SERVICE_ACCOUNT_EXISTS)
    revision = transaction.next_revision()
    stored = replace(account, revision=revision)
    transaction.fetch(f"INSERT INTO accounts ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _row(stored))
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
        f"UPDATE accounts SET ({_COLUMNS}) = (?, ?, ?, ?, ?, ?, ?, ?) WHERE id = ?", (*_row(stored), account_id)
    )
    transaction.fetch("DELETE FROM credentials WHERE account_id = ?", (account_id,))
    _insert_credentials(transaction, stored)
    transaction.publish(revision, (stored,), audit)
    return stored


def read_accounts(connection: apsw.Connection) -> tuple[ServiceAccount, ...]:
    """All accounts with their credentials, by id."""
    credentials: defaultdict[str, list[Row]] = defaultdict(list)
    for row in fetch(connection, f"SELECT {_CREDENTIAL_COLUMNS} FROM credentials ORDER BY account_id, position"):
        credentials[row[0]].append(row)
    rows = fetch(connection, f"SELECT {_COLUMNS} FROM accounts ORDER BY id")
    return tuple(_account(row, credentials[row[0]]) for row in rows)


def _read_account(connection: apsw.Connection, account_id: AccountId) -> ServiceAccount:
    row = fetch_one(connection, f"SELECT {_COLUMNS} FROM accounts WHERE id = ?", (account_id,))
    if row is None:
        raise NotFound(Reason.SERVICE_ACCOUNT_NOT_FOUND)
    statement = f"SELECT {_CREDENTIAL_COLUMNS} FROM credentials WHERE account_id = ? ORDER BY position"
    return _account(row, fetch(connection, statement, (account_id,)))


def _insert_credentials(transaction: Transaction, account: ServiceAccount) -> None:
    for position, credential in enumerate(account.credentials):
        transaction.fetch(
            f"INSERT INTO credentials ({_CREDENTIAL_COLUMNS}) VALUES (?, ?, ?, ?, ?)",
            (account.id, position, credential.id, credential.digest, to_microseconds(credential.created_at)),
        )


def _row(account: ServiceAccount) -> Row:
    return (
        account.id,
        account.name,
        rights_text(account),
        account.disabled,
        account.version,
        account.revision,
        to_microseconds(account.created_at),
        to_microseconds(account.updated_at),
    )


def _account(row: Row, credentials: Sequence[Row]) -> ServiceAccount:
    account_id, name, rights, disabled, version, revision, created_at, updated_at = row
    return ServiceAccount(
        id=AccountId(account_id),
        name=name,
        **rights_from(rights),
        disabled=bool(disabled),
        credentials=tuple(
            Credential(CredentialId(credential_id), digest, from_microseconds(at))
            for _, _, credential_id, digest, at in credentials
        ),
        version=version,
        revision=Revision(revision),
        created_at=from_microseconds(created_at),
        updated_at=from_microseconds(updated_at),
    )
