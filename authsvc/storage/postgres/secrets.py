"""Service-wide secrets: kept once, never replaced."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from typing import Final

from authsvc.storage.base import SealedSecret
from authsvc.storage.postgres.statement import Statement, by_column, places
from authsvc.storage.postgres.transaction import Transaction
from authsvc.storage.rows.secrets import COLUMNS, from_row, to_row

_INSERT = Statement(f"INSERT INTO secrets ({COLUMNS}) VALUES ({places(COLUMNS)}) ON CONFLICT DO NOTHING")
_READ = Statement(f"SELECT {COLUMNS} FROM secrets WHERE purpose = :purpose AND number = :number")

READ_ALL: Final = Statement(f"SELECT {COLUMNS} FROM secrets WHERE purpose = :purpose ORDER BY number")


def add_secret(transaction: Transaction, secret: SealedSecret) -> SealedSecret:
    """See ``Store.add_secret``."""
    values = by_column(COLUMNS, to_row(secret))
    transaction.fetch(_INSERT.of(values))  # waits for a rival, whose row the next statement then sees
    (row,) = transaction.fetch(_READ.of(values))
    return from_row(row)
