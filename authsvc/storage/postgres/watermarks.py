"""Watermarks: what is revoked without touching what it covers."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from datetime import datetime

from authsvc.errors import NotFound, Reason
from authsvc.model import ApiKey, AuditEvent, Revision, UserId
from authsvc.storage.postgres.apps import IS_THERE
from authsvc.storage.postgres.present import NOW
from authsvc.storage.postgres.statement import Statement
from authsvc.storage.postgres.transaction import Transaction
from authsvc.storage.rows.moments import optional_microseconds
from authsvc.storage.rows.revocations import WATERMARK_COLUMNS, user_column, watermark_from

# Every part keeps the larger value; a part that is not set is NULL, which greatest() leaves out.
_KEEP_THE_LARGER = f"""
ON CONFLICT (api_key, user_id) DO UPDATE SET
    tokens_revision = greatest(watermarks.tokens_revision, excluded.tokens_revision),
    tokens_revoked_at = greatest(watermarks.tokens_revoked_at, excluded.tokens_revoked_at),
    tokens_issued_before = greatest(watermarks.tokens_issued_before, excluded.tokens_issued_before),
    sessions_revision = greatest(watermarks.sessions_revision, excluded.sessions_revision),
    sessions_created_before = greatest(watermarks.sessions_created_before, excluded.sessions_created_before),
    revision = excluded.revision
RETURNING {WATERMARK_COLUMNS}"""

_RAISE = Statement(f"""
INSERT INTO watermarks ({WATERMARK_COLUMNS})
VALUES (:api_key, :user_id, :revision, {NOW}, NULL, :revision, NULL, :revision)
{_KEEP_THE_LARGER}""")

_RAISE_TIMES = Statement(f"""
INSERT INTO watermarks ({WATERMARK_COLUMNS})
VALUES (:api_key, :user_id, 0, NULL, :issued_before, 0, :issued_before, :revision)
{_KEEP_THE_LARGER}""")


def raise_watermark(
    transaction: Transaction,
    api_key: ApiKey,
    user_id: UserId | None,
    audit: AuditEvent,
    issued_before: datetime | None,
) -> Revision:
    """See ``Store.raise_watermark``."""
    user = user_column(user_id)
    if not transaction.fetch(IS_THERE(api_key=api_key)):
        raise NotFound(Reason.APP_NOT_FOUND)
    revision = transaction.next_revision()
    statement = _RAISE if issued_before is None else _RAISE_TIMES
    values = {
        "api_key": api_key,
        "user_id": user,
        "revision": revision,
        "present": transaction.present,
        "issued_before": optional_microseconds(issued_before),
    }
    (row,) = transaction.fetch(statement.of(values))
    transaction.publish(revision, (watermark_from(row),), audit)
    return revision
