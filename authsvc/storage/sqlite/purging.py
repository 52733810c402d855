"""The statements of forgetting. Each finds what is due by an index, and looks at nothing else."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import apsw

from authsvc.clock import to_microseconds
from authsvc.storage.rows.purging import TABLES, Due, Round
from authsvc.storage.rows.retention import LIFE_COLUMNS, forgotten, life_from, session_due, watermark_due
from authsvc.storage.rows.revocations import WATERMARK_COLUMNS, watermark_from
from authsvc.storage.sqlite.connection import fetch
from authsvc.storage.sqlite.transaction import Transaction

# A watermark at 0 was raised before anybody looked for what is due: it has been due since just now.
DUE = """
SELECT
    (SELECT min(due_at) FROM sessions WHERE due_at <= :past),
    (SELECT min(until) FROM revoked_tokens WHERE until <= :past),
    (SELECT CASE min(due_at) WHEN 0 THEN :past ELSE min(due_at) END FROM watermarks WHERE due_at <= :past),
    (SELECT min(until) FROM log_levels WHERE until <= :past),
    (SELECT min(revision) FROM feed WHERE revision <= (SELECT revision FROM feed_head) - :keep)"""

_SESSIONS = """
SELECT rowid, due_at, revoked_at IS NOT NULL, idle_expires_at, absolute_expires_at, access_ttl, generation
FROM sessions
WHERE due_at <= ? ORDER BY due_at LIMIT ?"""

_TOKENS = "SELECT api_key, token_id FROM revoked_tokens WHERE until <= ? ORDER BY until LIMIT ?"

_MARKS = f"""
SELECT {", ".join(f"mark.{name.strip()}" for name in WATERMARK_COLUMNS.split(","))}, {LIFE_COLUMNS}
FROM watermarks AS mark CROSS JOIN apps USING (api_key)
WHERE mark.due_at <= ? ORDER BY mark.due_at LIMIT ?"""

_LEVELS = "SELECT scope FROM log_levels WHERE until <= ? LIMIT ?"

_FEED = """
SELECT revision, ordinal FROM feed WHERE revision <= (SELECT revision FROM feed_head) - ?
ORDER BY revision, ordinal LIMIT ?"""

_LIFE_FROM: Final = WATERMARK_COLUMNS.count(",") + 1


def read_due(connection: apsw.Connection, now: int, keep_revisions: int) -> Due:
    """Since when there has been something to forget, by table."""
    (row,) = fetch(connection, DUE, {"past": forgotten(now), "keep": keep_revisions})
    return dict(zip(TABLES, row, strict=True))


def purge_some(transaction: Transaction, table: str, most: int, keep_revisions: int) -> Round:
    """Look at the oldest rows of a table that are due, no more than that many, and remove those that can go."""
    if table == "feed":
        return _purge_feed(transaction, keep_revisions, most)
    return _PURGES[table](transaction, forgotten(to_microseconds(transaction.clock())), most)


def _purge_sessions(transaction: Transaction, past: int, most: int) -> Round:
    rows = transaction.fetch(_SESSIONS, (past, most))
    due = [(due_at if revoked else session_due(*ends), rowid) for rowid, due_at, revoked, *ends in rows]
    over = [(rowid,) for moment, rowid in due if moment <= past]
    transaction.repeat("DELETE FROM sessions WHERE rowid = ?", over)
    transaction.repeat("UPDATE sessions SET due_at = ? WHERE rowid = ?", [each for each in due if each[0] > past])
    return Round(len(rows), len(over))


def _purge_tokens(transaction: Transaction, past: int, most: int) -> Round:
    rows = transaction.fetch(_TOKENS, (past, most))
    transaction.repeat("DELETE FROM revoked_tokens WHERE api_key = ? AND token_id = ?", rows)
    return Round(len(rows), len(rows))


def _purge_watermarks(transaction: Transaction, past: int, most: int) -> Round:
    """How long an app's tokens and sessions can live may have grown since: so it is asked for again."""
    rows = transaction.fetch(_MARKS, (past, most))
    due = [(watermark_due(watermark_from(row[:_LIFE_FROM]), life_from(row[_LIFE_FROM:])), *row[:2]) for row in rows]
    over = [each[1:] for each in due if each[0] <= past]
    transaction.repeat("DELETE FROM watermarks WHERE api_key = ? AND user_id = ?", over)
    later = [each for each in due if each[0] > past]
    transaction.repeat("UPDATE watermarks SET due_at = ? WHERE api_key = ? AND user_id = ?", later)
    return Round(len(rows), len(over))


def _purge_levels(transaction: Transaction, past: int, most: int) -> Round:
    rows = transaction.fetch(_LEVELS, (past, most))
    transaction.repeat("DELETE FROM log_levels WHERE scope = ?", rows)
    return Round(len(rows), len(rows))


def _purge_feed(transaction: Transaction, keep_revisions: int, most: int) -> Round:
    """In order and from the beginning: a reader tells by the first row that is left whether its revision is whole."""
    rows = transaction.fetch(_FEED, (keep_revisions, most))
    transaction.repeat("DELETE FROM feed WHERE revision = ? AND ordinal = ?", rows)
    return Round(len(rows), len(rows))


_PURGES: Final[Mapping[str, Callable[[Transaction, int, int], Round]]] = {
    "sessions": _purge_sessions,
    "revoked_tokens": _purge_tokens,
    "watermarks": _purge_watermarks,
    "log_levels": _purge_levels,
}
