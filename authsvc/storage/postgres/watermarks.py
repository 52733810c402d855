"""Watermarks: what is revoked without touching what it covers.

Whoever changes one holds the feed's number, so what is asked after taking it stays true until the commit.
"""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from datetime import datetime

from authsvc.model import ApiKey, AuditEvent, Revision, UserId, Watermark
from authsvc.storage.postgres.apps import life_of
from authsvc.storage.postgres.present import NOW
from authsvc.storage.postgres.statement import Statement
from authsvc.storage.postgres.transaction import Transaction, Unchanged
from authsvc.storage.rows.moments import optional_microseconds
from authsvc.storage.rows.retention import watermark_due
from authsvc.storage.rows.revocations import FLOOR_COLUMNS, WATERMARK_COLUMNS, Floor, user_column, watermark_from

# Every part keeps the larger value; a part that is not set is NULL, which greatest() leaves out.
_KEEP_THE_LARGER = f"""
ON CONFLICT (api_key, user_id) DO UPDATE SET
    tokens_revision = greatest(watermarks.tokens_revision, excluded.tokens_revision),
    tokens_revoked_at = greatest(watermarks.tokens_revoked_at, excluded.tokens_revoked_at),
    tokens_issued_before = greatest(watermarks.tokens_issued_before, excluded.tokens_issued_before),
    sessions_revision = greatest(watermarks.sessions_revision, excluded.sessions_revision),
    sessions_created_before = greatest(watermarks.sessions_created_before, excluded.sessions_created_before),
    revision = excluded.revision,
    sessions_revoked_at = greatest(watermarks.sessions_revoked_at, excluded.sessions_revoked_at)
RETURNING {WATERMARK_COLUMNS}"""

_RAISE = Statement(f"""
WITH present AS MATERIALIZED (SELECT {NOW} AS moment)
INSERT INTO watermarks ({WATERMARK_COLUMNS})
SELECT :api_key, :user_id, :revision, moment, NULL, :revision, NULL, :revision, moment FROM present
{_KEEP_THE_LARGER}""")

_RAISE_TIMES = Statement(f"""
INSERT INTO watermarks ({WATERMARK_COLUMNS})
VALUES (:api_key, :user_id, 0, NULL, :issued_before, 0, :issued_before, :revision, NULL)
{_KEEP_THE_LARGER}""")

_OF = "WHERE api_key = :api_key AND user_id = :user_id"
_PUT_OFF = Statement(f"UPDATE watermarks SET due_at = :due_at {_OF}")
_PUT_FURTHER_OFF = Statement(f"UPDATE watermarks SET due_at = greatest(due_at, :due_at) {_OF}")

_FLOOR = Statement(f"SELECT {FLOOR_COLUMNS} FROM meta")
_COVERS_TOKENS = """(
    tokens_revision > :floor_revision
    OR coalesce(tokens_revoked_at, 0) > coalesce(:floor_moment::bigint, 0)
    OR tokens_issued_before IS NOT NULL)"""
_CAN_BE_CLEARED = Statement(f"SELECT 1::bigint FROM watermarks {_OF} AND {_COVERS_TOKENS}")
_CLEAR = Statement(f"""
UPDATE watermarks SET
    tokens_revision = :floor_revision, tokens_revoked_at = :floor_moment::bigint, tokens_issued_before = NULL,
    revision = :revision
{_OF} AND {_COVERS_TOKENS} RETURNING {WATERMARK_COLUMNS}""")


def raise_watermark(
    transaction: Transaction,
    api_key: ApiKey,
    user_id: UserId | None,
    audit: AuditEvent,
    issued_before: datetime | None,
) -> Revision:
    """See ``Store.raise_watermark``."""
    user = user_column(user_id)
    life = life_of(transaction, api_key)
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
    mark = watermark_from(row)
    _put_off(transaction, _PUT_FURTHER_OFF, mark, watermark_due(mark, life))
    transaction.publish(revision, (mark,), audit)
    return revision


def clear_watermark(
    transaction: Transaction, api_key: ApiKey, user_id: UserId | None, audit: AuditEvent
) -> Revision | None:
    """See ``Store.clear_watermark``."""
    floor = Floor(*transaction.fetch(_FLOOR())[0]) if user_id is None else Floor()
    values = {
        "api_key": api_key,
        "user_id": user_column(user_id),
        "floor_revision": floor.revision,
        "floor_moment": floor.moment,
    }
    if not transaction.fetch(_CAN_BE_CLEARED.of(values)):
        return None
    life = life_of(transaction, api_key)
    revision = transaction.next_revision()
    row = transaction.fetch_one(_CLEAR.of({**values, "revision": revision}))
    if row is None:  # a rival was faster
        raise Unchanged(None)
    mark = watermark_from(row)
    _put_off(transaction, _PUT_OFF, mark, watermark_due(mark, life, floor))
    transaction.publish(revision, (mark,), audit)
    return revision


def _put_off(transaction: Transaction, statement: Statement, mark: Watermark, due_at: int) -> None:
    """Have the mark looked at when nothing it covers can live any more."""
    user = user_column(mark.user_id)
    transaction.later(statement(api_key=mark.api_key, user_id=user, due_at=due_at))
