"""The statements of service accounts and their credentials.

Whoever changes an account holds the feed's number, so what is asked after taking it stays true until the commit.
"""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from authsvc.errors import AlreadyExists, NotFound, Reason
from authsvc.model import AccountId, AuditEvent, ServiceAccount
from authsvc.storage.postgres.present import NOW
from authsvc.storage.postgres.statement import Statement, by_column, places
from authsvc.storage.postgres.transaction import Transaction
from authsvc.storage.rows.accounts import COLUMNS, CREDENTIAL_COLUMNS, credential_rows, from_row, to_row

_ANY = Statement("SELECT 1::bigint FROM accounts LIMIT 1")
_TAKEN = Statement("SELECT 1::bigint FROM accounts WHERE id = :id OR name = :name")
_NAME_TAKEN = Statement("SELECT 1::bigint FROM accounts WHERE name = :name AND id <> :id")

_INSERT = Statement(f"INSERT INTO accounts ({COLUMNS}) VALUES ({places(COLUMNS)})")
_INSERT_CREDENTIAL = Statement(f"INSERT INTO credentials ({CREDENTIAL_COLUMNS}) VALUES ({places(CREDENTIAL_COLUMNS)})")
_DELETE_CREDENTIALS = Statement("DELETE FROM credentials WHERE account_id = :id")

_HOLD = Statement(f"SELECT {COLUMNS} FROM accounts WHERE id = :id FOR NO KEY UPDATE")
_CREDENTIALS = Statement(f"SELECT {CREDENTIAL_COLUMNS} FROM credentials WHERE account_id = :id ORDER BY position")

_UPDATE = Statement(f"""
UPDATE accounts SET
    name = :name, rights = :rights, disabled = :disabled,
    version = version + 1, revision = :revision, updated_at = {NOW}
WHERE id = :id RETURNING {COLUMNS}""")


def create_account(
    transaction: Transaction, account: ServiceAccount, audit: AuditEvent, *, only_if_none: bool
) -> ServiceAccount:
    """See ``Store.create_account``."""
    taken = _ANY() if only_if_none else _TAKEN(id=account.id, name=account.name)
    if transaction.fetch(taken):
        raise AlreadyExists(Reason.SERVICE_ACCOUNT_EXISTS)
    revision = transaction.next_revision()
    if transaction.fetch(taken):  # a rival was faster
        raise AlreadyExists(Reason.SERVICE_ACCOUNT_EXISTS)
    stored = replace(account, revision=revision)
    transaction.later(_INSERT.of(by_column(COLUMNS, to_row(stored))))
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
    after = edit(_hold(transaction, account_id))
    if after.id != account_id:
        raise ValueError("an edit must not change an account's id")
    transaction.go_on()
    revision = transaction.next_revision()
    if transaction.fetch(_NAME_TAKEN(name=after.name, id=account_id)):
        raise AlreadyExists(Reason.SERVICE_ACCOUNT_EXISTS)
    values = by_column(COLUMNS, to_row(replace(after, revision=revision)))
    (row,) = transaction.fetch(_UPDATE.of({**values, "present": transaction.present}))
    stored = from_row(row, credential_rows(after))
    transaction.later(_DELETE_CREDENTIALS(id=account_id))
    _insert_credentials(transaction, stored)
    transaction.publish(revision, (stored,), audit)
    return stored


def _hold(transaction: Transaction, account_id: AccountId) -> ServiceAccount:
    row = transaction.fetch_one(_HOLD(id=account_id))
    if row is None:
        raise NotFound(Reason.SERVICE_ACCOUNT_NOT_FOUND)
    return from_row(row, transaction.fetch(_CREDENTIALS(id=account_id)))


def _insert_credentials(transaction: Transaction, account: ServiceAccount) -> None:
    for row in credential_rows(account):
        transaction.later(_INSERT_CREDENTIAL.of(by_column(CREDENTIAL_COLUMNS, row)))
