"""The statements of signing keys."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from authsvc.errors import NotFound, Reason
from authsvc.model import ApiKey, AuditEvent, KeyRecord
from authsvc.storage.postgres.statement import Statement, by_column, places
from authsvc.storage.postgres.transaction import Transaction
from authsvc.storage.rows.keys import COLUMNS, from_row, in_order, key_edit, to_row

INSERT: Final = Statement(f"INSERT INTO keys ({COLUMNS}) VALUES ({places(COLUMNS)})")

READ_ALL: Final = Statement(f"SELECT {COLUMNS} FROM keys ORDER BY api_key, key_id")

# As for an edit of the app itself: one edit of its keys at a time, while others may refer to it.
_HOLD_APP = Statement("SELECT 1::bigint FROM apps WHERE api_key = :api_key FOR NO KEY UPDATE")
_READ = Statement(f"SELECT {COLUMNS} FROM keys WHERE api_key = :api_key")
_DELETE = Statement("DELETE FROM keys WHERE api_key = :api_key AND key_id = :key_id")

_PUT = Statement(f"""
INSERT INTO keys ({COLUMNS}) VALUES ({places(COLUMNS)})
ON CONFLICT (api_key, key_id) DO UPDATE SET
    algorithm = excluded.algorithm, state = excluded.state, sealed = excluded.sealed, public_jwk = excluded.public_jwk,
    created_at = excluded.created_at, activated_at = excluded.activated_at, retired_at = excluded.retired_at,
    revoked_at = excluded.revoked_at, imported = excluded.imported, revision = excluded.revision""")


def edit_keys(
    transaction: Transaction,
    api_key: ApiKey,
    edit: Callable[[tuple[KeyRecord, ...]], tuple[KeyRecord, ...]],
    audit: AuditEvent | None,
) -> tuple[KeyRecord, ...]:
    """See ``Store.edit_keys``."""
    if not transaction.fetch(_HOLD_APP(api_key=api_key)):
        raise NotFound(Reason.APP_NOT_FOUND)
    before = in_order(list(map(from_row, transaction.fetch(_READ(api_key=api_key)))))
    wanted = key_edit(api_key, before, edit(before))
    if wanted.nothing:
        return before
    transaction.go_on()
    revision = transaction.next_revision()
    edited = wanted.under(revision)
    for key_id in edited.removed:
        transaction.later(_DELETE(api_key=api_key, key_id=key_id))
    for key in edited.changed:
        transaction.later(_PUT.of(by_column(COLUMNS, to_row(key))))
    transaction.publish(revision, edited.changes(revision), audit)
    return edited.after()
