"""The statements of service-wide secrets."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from dataclasses import replace

import apsw

from authsvc.model import ApiKey, AuditEvent, Gone, SealedSecret, Subject
from authsvc.storage.rows.feed import secret_name
from authsvc.storage.rows.secrets import COLUMNS, from_row, to_row
from authsvc.storage.sqlite.connection import fetch
from authsvc.storage.sqlite.transaction import Transaction

_READ = f"SELECT {COLUMNS} FROM secrets WHERE purpose = ? AND number = ?"

_REPLACE = "UPDATE secrets SET sealed = ?, revision = ? WHERE purpose = ? AND number = ?"


def add_secret(transaction: Transaction, secret: SealedSecret, audit: AuditEvent | None) -> SealedSecret:
    """See ``Store.add_secret``."""
    row = transaction.fetch_one(_READ, (secret.purpose, secret.number))
    if row is not None:
        return from_row(row)
    revision = transaction.next_revision()
    stored = replace(secret, revision=revision)
    transaction.fetch(f"INSERT INTO secrets ({COLUMNS}) VALUES (?, ?, ?, ?, ?)", to_row(stored))
    transaction.publish(revision, (stored,), audit)
    return stored


def replace_secret(
    transaction: Transaction, secret: SealedSecret, sealed_before: bytes, audit: AuditEvent | None
) -> bool:
    """See ``Store.replace_secret``."""
    row = transaction.fetch_one(_READ, (secret.purpose, secret.number))
    if row is None or from_row(row).sealed != sealed_before:
        return False
    revision = transaction.next_revision()
    stored = replace(from_row(row), sealed=secret.sealed, revision=revision)
    transaction.fetch(_REPLACE, (stored.sealed, revision, stored.purpose, stored.number))
    transaction.publish(revision, (stored,), audit)
    return True


def remove_secret(transaction: Transaction, purpose: str, number: int, audit: AuditEvent | None) -> bool:
    """See ``Store.remove_secret``."""
    if transaction.fetch_one(_READ, (purpose, number)) is None:
        return False
    revision = transaction.next_revision()
    transaction.fetch("DELETE FROM secrets WHERE purpose = ? AND number = ?", (purpose, number))
    transaction.publish(revision, (Gone(Subject.SECRET, ApiKey(""), secret_name(purpose, number), revision),), audit)
    return True


def read_secrets(connection: apsw.Connection, purpose: str) -> tuple[SealedSecret, ...]:
    """See ``Store.secrets``."""
    statement = f"SELECT {COLUMNS} FROM secrets WHERE purpose = ? ORDER BY number"
    return tuple(from_row(row) for row in fetch(connection, statement, (purpose,)))


def read_all_secrets(connection: apsw.Connection) -> tuple[SealedSecret, ...]:
    """Those of every purpose, by purpose and number."""
    return tuple(from_row(row) for row in fetch(connection, f"SELECT {COLUMNS} FROM secrets ORDER BY purpose, number"))
