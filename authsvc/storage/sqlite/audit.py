"""Reading the audit, newest first."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

import json
from typing import Final

import apsw

from authsvc.model import AuditRow
from authsvc.storage.base import AuditFilter
from authsvc.storage.rows.feed import AUDIT_COLUMNS, audit_from
from authsvc.storage.rows.moments import optional_microseconds
from authsvc.storage.sqlite.connection import fetch

_CONDITIONS: Final = {
    "api_key": "api_key = :api_key",
    "principal": "principal = :principal",
    "action": "action = :action",
    "subject": "subject = :subject",
    "outcome": "outcome = :outcome",
    "since": "at >= :since",
    "until": "+at < :until",  # the plus: no index, for most of the table can be older
    "apps": "api_key IN (SELECT value FROM json_each(:apps))",
    "before": "id < :before",
}
"""What each wish asks of a row."""


def read_audit(
    connection: apsw.Connection, wanted: AuditFilter, *, before: int | None, limit: int
) -> tuple[AuditRow, ...]:
    """See ``Store.list_audit``."""
    wishes = {name: value for name, value in _wishes(wanted, before).items() if value is not None}
    conditions = " AND ".join(_CONDITIONS[name] for name in wishes) or "true"
    statement = f"SELECT id, {AUDIT_COLUMNS} FROM audit WHERE {conditions} ORDER BY id DESC LIMIT :limit"
    return tuple(audit_from(row) for row in fetch(connection, statement, {**wishes, "limit": limit}))


def _wishes(wanted: AuditFilter, before: int | None) -> dict[str, str | int | None]:
    """All wishes by name; None where anything will do."""
    return {
        "api_key": wanted.api_key or None,
        "principal": wanted.principal or None,
        "action": wanted.action or None,
        "subject": wanted.subject or None,
        "outcome": wanted.outcome or None,
        "since": optional_microseconds(wanted.since),
        "until": optional_microseconds(wanted.until),
        "apps": None if wanted.apps is None else json.dumps(sorted(wanted.apps)),
        "before": before,
    }
