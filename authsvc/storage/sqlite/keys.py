"""The statements of signing keys."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

import apsw

from authsvc.model import KeyRecord
from authsvc.storage.rows.keys import COLUMNS, from_row, to_row
from authsvc.storage.sqlite.connection import fetch
from authsvc.storage.sqlite.transaction import Transaction


def insert_key(transaction: Transaction, key: KeyRecord) -> None:
    """Keep a new key; the schema refuses a second active one of the app."""
    transaction.fetch(f"INSERT INTO keys ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", to_row(key))


def read_keys(connection: apsw.Connection) -> tuple[KeyRecord, ...]:
    """All keys, by app and key id."""
    return tuple(from_row(row) for row in fetch(connection, f"SELECT {COLUMNS} FROM keys ORDER BY api_key, key_id"))
