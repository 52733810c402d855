"""The statements of service-wide secrets.

Whoever changes one holds the feed's number, so what is asked after taking it stays true until the commit.
"""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from dataclasses import replace
from typing import Final

from authsvc.model import ApiKey, AuditEvent, Gone, SealedSecret, Subject
from authsvc.storage.postgres.statement import Statement, by_column, places
from authsvc.storage.postgres.transaction import Transaction, Unchanged
from authsvc.storage.rows.feed import secret_name
from authsvc.storage.rows.secrets import COLUMNS, from_row, to_row

_READ = Statement(f"SELECT {COLUMNS} FROM secrets WHERE purpose = :purpose AND number = :number")
_INSERT = Statement(f"INSERT INTO secrets ({COLUMNS}) VALUES ({places(COLUMNS)})")
_REPLACE = Statement(
    "UPDATE secrets SET sealed = :sealed, revision = :revision WHERE purpose = :purpose AND number = :number"
)
_DELETE = Statement("DELETE FROM secrets WHERE purpose = :purpose AND number = :number")

READ_ALL: Final = Statement(f"SELECT {COLUMNS} FROM secrets ORDER BY purpose, number")
READ_OF: Final = Statement(f"SELECT {COLUMNS} FROM secrets WHERE purpose = :purpose ORDER BY number")


def add_secret(transaction: Transaction, secret: SealedSecret, audit: AuditEvent | None) -> SealedSecret:
    """See ``Store.add_secret``."""
    kept = _read(transaction, secret.purpose, secret.number)
    if kept is not None:
        return kept
    revision = transaction.next_revision()
    if (kept := _read(transaction, secret.purpose, secret.number)) is not None:  # a rival was faster
        raise Unchanged(kept)
    stored = replace(secret, revision=revision)
    transaction.later(_INSERT.of(by_column(COLUMNS, to_row(stored))))
    transaction.publish(revision, (stored,), audit)
    return stored


def replace_secret(
    transaction: Transaction, secret: SealedSecret, sealed_before: bytes, audit: AuditEvent | None
) -> bool:
    """See ``Store.replace_secret``."""
    kept = _read(transaction, secret.purpose, secret.number)
    if kept is None or kept.sealed != sealed_before:
        return False
    revision = transaction.next_revision()
    kept = _read(transaction, secret.purpose, secret.number)
    if kept is None or kept.sealed != sealed_before:
        raise Unchanged(False)
    stored = replace(kept, sealed=secret.sealed, revision=revision)
    transaction.later(_REPLACE.of(by_column(COLUMNS, to_row(stored))))
    transaction.publish(revision, (stored,), audit)
    return True


def remove_secret(transaction: Transaction, purpose: str, number: int, audit: AuditEvent | None) -> bool:
    """See ``Store.remove_secret``."""
    if _read(transaction, purpose, number) is None:
        return False
    revision = transaction.next_revision()
    if _read(transaction, purpose, number) is None:
        raise Unchanged(False)
    transaction.later(_DELETE(purpose=purpose, number=number))
    transaction.publish(revision, (Gone(Subject.SECRET, ApiKey(""), secret_name(purpose, number), revision),), audit)
    return True


def _read(transaction: Transaction, purpose: str, number: int) -> SealedSecret | None:
    row = transaction.fetch_one(_READ(purpose=purpose, number=number))
    return None if row is None else from_row(row)
