"""Reading the audit, newest first."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

import functools
from typing import Any, Final

from authsvc.storage.base import AuditFilter
from authsvc.storage.postgres.statement import Request, Statement
from authsvc.storage.rows.feed import AUDIT_COLUMNS
from authsvc.storage.rows.moments import optional_microseconds

_CONDITIONS: Final = {
    "api_key": "api_key = :api_key",
    "principal": "principal = :principal",
    "action": "action = :action",
    "subject": "subject = :subject",
    "outcome": "outcome = :outcome",
    "since": "at >= :since",
    "until": "at < :until",
    "apps": "api_key = ANY(:apps::text[])",
    "before": "id < :before",
}
"""What each wish asks of a row."""


def reading(wanted: AuditFilter, *, before: int | None, limit: int) -> Request:
    """The rows that are asked for: id and ``AUDIT_COLUMNS``."""
    wishes = {name: value for name, value in _wishes(wanted, before).items() if value is not None}
    return _statement(tuple(wishes)).of({**wishes, "limit": limit})


@functools.cache
def _statement(wishes: tuple[str, ...]) -> Statement:
    conditions = " AND ".join(_CONDITIONS[name] for name in wishes) or "true"
    return Statement(
        f"SELECT id, {AUDIT_COLUMNS} FROM audit WHERE {conditions} ORDER BY id DESC LIMIT :limit", planned=True
    )


def _wishes(wanted: AuditFilter, before: int | None) -> dict[str, Any]:
    """All wishes by name; None where anything will do."""
    return {
        "api_key": wanted.api_key or None,
        "principal": wanted.principal or None,
        "action": wanted.action or None,
        "subject": wanted.subject or None,
        "outcome": wanted.outcome or None,
        "since": optional_microseconds(wanted.since),
        "until": optional_microseconds(wanted.until),
        "apps": None if wanted.apps is None else tuple(sorted(wanted.apps)),
        "before": before,
    }
