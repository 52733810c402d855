"""The statements of log levels."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from authsvc.model import AuditEvent, LogLevel, Revision
from authsvc.storage.postgres.following import HEAD
from authsvc.storage.postgres.statement import Statement, by_column, places
from authsvc.storage.postgres.transaction import Transaction, Unchanged
from authsvc.storage.rows.levels import COLUMNS, check_levels, level_changes, to_row

READ_ALL: Final = Statement(f"SELECT {COLUMNS} FROM log_levels WHERE until > :now ORDER BY scope")

_SCOPES = Statement("SELECT scope FROM log_levels")
_DELETE_ALL = Statement("DELETE FROM log_levels")
_PUT = Statement(f"""
INSERT INTO log_levels ({COLUMNS}) VALUES ({places(COLUMNS)})
ON CONFLICT (scope) DO UPDATE SET level = excluded.level, until = excluded.until, revision = excluded.revision""")


def set_levels(transaction: Transaction, levels: Sequence[LogLevel], *, reset: bool, audit: AuditEvent) -> Revision:
    """See ``Store.set_levels``."""
    check_levels(levels)
    ((head,),) = transaction.fetch(HEAD())
    if not levels and not (reset and transaction.fetch(_SCOPES())):
        return Revision(head)
    revision = transaction.next_revision()
    forgotten = [scope for (scope,) in transaction.fetch(_SCOPES())] if reset else []
    if not levels and not forgotten:  # a rival was faster
        raise Unchanged(Revision(revision - 1))
    changes = level_changes(levels, forgotten, revision)
    if reset:
        transaction.later(_DELETE_ALL())
    for change in changes:
        if isinstance(change, LogLevel):
            transaction.later(_PUT.of(by_column(COLUMNS, to_row(change))))
    transaction.publish(revision, changes, audit)
    return revision
