"""Service-wide secrets: kept once, never replaced."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

import apsw

from authsvc.storage.base import SealedSecret
from authsvc.storage.rows.secrets import COLUMNS, from_row, to_row
from authsvc.storage.sqlite.connection import fetch
from authsvc.storage.sqlite.transaction import Transaction


def add_secret(transaction: Transaction, secret: SealedSecret) -> SealedSecret:
    """See ``Store.add_secret``."""
    transaction.fetch(
        f"INSERT INTO secrets ({COLUMNS}) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        to_row(secret),
    )
    statement = f"SELECT {COLUMNS} FROM secrets WHERE purpose = ? AND number = ?"
    (row,) = transaction.fetch(statement, (secret.purpose, secret.number))
    return from_row(row)


def read_secrets(connection: apsw.Connection, purpose: str) -> tuple[SealedSecret, ...]:
    """See ``Store.secrets``."""
    statement = f"SELECT {COLUMNS} FROM secrets WHERE purpose = ? ORDER BY number"
    return tuple(from_row(row) for row in fetch(connection, statement, (purpose,)))
