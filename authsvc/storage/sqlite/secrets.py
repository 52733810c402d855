"""Service-wide secrets: kept once, never replaced."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

import apsw

from authsvc.clock import from_microseconds, to_microseconds
from authsvc.storage.base import SealedSecret
from authsvc.storage.sqlite.connection import Row, fetch
from authsvc.storage.sqlite.transaction import Transaction

_COLUMNS = "purpose, number, sealed, created_at"


def add_secret(transaction: Transaction, secret: SealedSecret) -> SealedSecret:
    """See ``Store.add_secret``."""
    transaction.fetch(
        f"INSERT INTO secrets ({_COLUMNS}) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (secret.purpose, secret.number, secret.sealed, to_microseconds(secret.created_at)),
    )
    statement = f"SELECT {_COLUMNS} FROM secrets WHERE purpose = ? AND number = ?"
    (row,) = transaction.fetch(statement, (secret.purpose, secret.number))
    return _secret(row)


def read_secrets(connection: apsw.Connection, purpose: str) -> tuple[SealedSecret, ...]:
    """See ``Store.secrets``."""
    statement = f"SELECT {_COLUMNS} FROM secrets WHERE purpose = ? ORDER BY number"
    return tuple(_secret(row) for row in fetch(connection, statement, (purpose,)))


def _secret(row: Row) -> SealedSecret:
    purpose, number, sealed, created_at = row
    return SealedSecret(purpose, number, sealed, from_microseconds(created_at))
