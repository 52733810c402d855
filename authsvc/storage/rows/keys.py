"""Signing keys as rows and back."""

from __future__ import annotations

from typing import Any, Final

from authsvc.clock import from_microseconds, to_microseconds
from authsvc.model import Algorithm, ApiKey, KeyId, KeyRecord, KeyState, Revision
from authsvc.storage.rows.moments import optional_microseconds, optional_moment

COLUMNS: Final = (
    "api_key, key_id, algorithm, state, sealed, public_jwk, created_at, activated_at, retired_at, revoked_at,"
    " imported, revision"
)


def to_row(key: KeyRecord) -> tuple[Any, ...]:
    """The columns ``COLUMNS`` of a key."""
    return (
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
        key.imported,
        key.revision,
    )


def from_row(row: tuple[Any, ...]) -> KeyRecord:
    """The key in the columns ``COLUMNS``."""
    api_key, key_id, algorithm, state, sealed, public_jwk, created_at, *moments, imported, revision = row
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
        imported=bool(imported),
        revision=Revision(revision),
    )
