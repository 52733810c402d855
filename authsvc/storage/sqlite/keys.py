"""Signing keys: rows and records."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

import apsw

from authsvc.clock import from_microseconds, to_microseconds
from authsvc.model import Algorithm, ApiKey, KeyId, KeyRecord, KeyState, Revision
from authsvc.storage.sqlite.connection import Row, fetch
from authsvc.storage.sqlite.moments import optional_microseconds, optional_moment
from authsvc.storage.sqlite.transaction import Transaction

_COLUMNS = (
    "api_key, key_id, algorithm, state, sealed, public_jwk, created_at, activated_at, retired_at, revoked_at, revision"
)


def insert_key(transaction: Transaction, key: KeyRecord) -> None:
    """Keep a new key; the schema refuses a second active one of the app."""
    transaction.fetch(
        f"INSERT INTO keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            key.api_key,
            key.key_id,
            key.algorithm,
            key.state,
            key.sealed,
            key.public_jwk,
            to_microseconds(key.created_at),
            optional_microseconds(key.activated_at),
            optional_microseconds(key.retired_at),
            optional_microseconds(key.revoked_at),
            key.revision,
        ),
    )


def read_keys(connection: apsw.Connection) -> tuple[KeyRecord, ...]:
    """All keys, by app and key id."""
    return tuple(_key(row) for row in fetch(connection, f"SELECT {_COLUMNS} FROM keys ORDER BY api_key, key_id"))


def _key(row: Row) -> KeyRecord:
    api_key, key_id, algorithm, state, sealed, public_jwk, created_at, *moments, revision = row
    activated_at, retired_at, revoked_at = map(optional_moment, moments)
    return KeyRecord(
        api_key=ApiKey(api_key),
        key_id=KeyId(key_id),
        algorithm=Algorithm(algorithm),
        state=KeyState(state),
        sealed=sealed,
        public_jwk=public_jwk,
        created_at=from_microseconds(created_at),
        activated_at=activated_at,
        retired_at=retired_at,
        revoked_at=revoked_at,
        revision=Revision(revision),
    )
