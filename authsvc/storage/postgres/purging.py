"""The statements of forgetting. Each finds what is due by an index, and looks at nothing else.

They wait for nobody: a row that somebody holds is left for another time. So those who turn or end a session, or raise
a watermark, wait for a short transaction at most, and never for one that waits for them. Only the feed's rows, which
nobody else holds, are removed in order, and one process waits for the other.
"""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from authsvc.storage.postgres.present import NOW
from authsvc.storage.postgres.statement import Request, Row, Statement
from authsvc.storage.postgres.transaction import Transaction
from authsvc.storage.rows.purging import MOST_ROWS, TABLES, Due, Round
from authsvc.storage.rows.retention import LARGEST_SKEW, LEEWAY, LIFE_COLUMNS, SECOND, life_from, watermark_due
from authsvc.storage.rows.revocations import WATERMARK_COLUMNS, watermark_from

_FORGOTTEN: Final = f"WITH forgotten AS MATERIALIZED (SELECT {NOW} - {LEEWAY} AS moment)"
_PAST: Final = "(SELECT moment FROM forgotten)"
_END: Final = (
    f"greatest(least(idle_expires_at, absolute_expires_at) + access_ttl + {LARGEST_SKEW}, generation * {SECOND})"
)

# A session at 0 was kept before anybody looked for what is due: it has been due since just now.
_DUE = Statement(f"""
{_FORGOTTEN} SELECT
    (SELECT CASE min(due_at) WHEN 0 THEN {_PAST} ELSE min(due_at) END FROM sessions WHERE due_at <= {_PAST}),
    (SELECT min(until) FROM revoked_tokens WHERE until <= {_PAST}),
    (SELECT CASE min(due_at) WHEN 0 THEN {_PAST} ELSE min(due_at) END FROM watermarks WHERE due_at <= {_PAST}),
    (SELECT min(until) FROM log_levels WHERE until <= {_PAST}),
    (SELECT min(revision) FROM feed WHERE revision <= (SELECT revision FROM feed_head) - :keep)""")


def _first(columns: str, table: str, condition: str, order: str, lock: str = "FOR UPDATE SKIP LOCKED") -> str:
    """The first rows in an order; a limit that the planner knows, so that it takes the index of that order."""
    return f"""
    SELECT * FROM (
        SELECT {columns} FROM {table} WHERE {condition} ORDER BY {order} LIMIT {MOST_ROWS} {lock}
    ) AS first LIMIT :most"""


_SESSIONS = Statement(
    f"""
{_FORGOTTEN}, due AS MATERIALIZED ({_first("id", "sessions", f"due_at <= {_PAST}", "due_at")}
), over AS (
    DELETE FROM sessions USING due
    WHERE sessions.id = due.id AND (revoked_at IS NOT NULL OR {_END} <= {_PAST}) RETURNING 1
), later AS (
    UPDATE sessions SET due_at = {_END} FROM due
    WHERE sessions.id = due.id AND revoked_at IS NULL AND {_END} > {_PAST}
)
SELECT (SELECT count(*) FROM due), (SELECT count(*) FROM over)""",
    planned=True,
)

_TOKENS = Statement(
    f"""
{_FORGOTTEN}, due AS MATERIALIZED ({_first("api_key, token_id", "revoked_tokens", f"until <= {_PAST}", "until")}
), over AS (
    DELETE FROM revoked_tokens AS token USING due
    WHERE token.api_key = due.api_key AND token.token_id = due.token_id AND until <= {_PAST} RETURNING 1
)
SELECT (SELECT count(*) FROM due), (SELECT count(*) FROM over)""",
    planned=True,
)

_LEVELS = Statement(
    f"""
{_FORGOTTEN}, due AS MATERIALIZED ({_first("scope", "log_levels", f"until <= {_PAST}", "scope")}
), over AS (
    DELETE FROM log_levels USING due WHERE log_levels.scope = due.scope AND until <= {_PAST} RETURNING 1
)
SELECT (SELECT count(*) FROM due), (SELECT count(*) FROM over)""",
    planned=True,
)

# From the beginning and without a gap: a reader tells by the first row that is left whether its revision is whole.
_OLD = "revision <= (SELECT revision FROM feed_head) - :keep"
_FEED = Statement(
    f"""
WITH due AS MATERIALIZED ({_first("revision, ordinal", "feed", _OLD, "revision, ordinal", "FOR UPDATE")}
), over AS (
    DELETE FROM feed USING due WHERE feed.revision = due.revision AND feed.ordinal = due.ordinal RETURNING 1
)
SELECT (SELECT count(*) FROM due), (SELECT count(*) FROM over)""",
    planned=True,
)

# What an app's tokens and sessions can live for may have grown since a watermark was raised: so it is looked at.
_MARKS = Statement(
    f"""
{_FORGOTTEN}, due AS MATERIALIZED ({_first(WATERMARK_COLUMNS, "watermarks", f"due_at <= {_PAST}", "due_at")}
)
SELECT {_PAST}, due.*, {LIFE_COLUMNS} FROM due JOIN apps USING (api_key)""",
    planned=True,
)

_NAMED_MARKS = "unnest(:apps::text[], :users::text[], :moments::text[]) AS named (app, user_name, moment)"
_OF_NAME = "WHERE api_key = app AND user_id = user_name"
_MARKS_OVER = Statement(f"DELETE FROM watermarks USING {_NAMED_MARKS} {_OF_NAME}", planned=True)
_MARKS_LATER = Statement(f"UPDATE watermarks SET due_at = moment::bigint FROM {_NAMED_MARKS} {_OF_NAME}", planned=True)

_STATEMENTS: Final = {"sessions": _SESSIONS, "revoked_tokens": _TOKENS, "log_levels": _LEVELS, "feed": _FEED}
_MARK_ENDS: Final = WATERMARK_COLUMNS.count(",") + 1

Values = Mapping[str, int | None]
"""``keep``: how many revisions of the feed; ``present`` as in every statement."""

Change = Callable[[Request], list[Row]]
Run = Callable[[Callable[[Transaction], Round]], Round]


def read_due(read: Change, values: Values) -> Due:
    """Since when there has been something to forget, by table."""
    (since,) = read(_DUE.of(values))
    return dict(zip(TABLES, since, strict=True))


def purge_some(change: Change, run: Run, values: Values, table: str, most: int) -> Round:
    """Look at the oldest rows of a table that are due, no more than that many, and remove those that can go."""
    if table == "watermarks":
        return run(lambda transaction: _purge_watermarks(transaction, most))
    ((looked, removed),) = change(_STATEMENTS[table].of({**values, "most": most}))
    return Round(looked, removed)


def _purge_watermarks(transaction: Transaction, most: int) -> Round:
    rows = transaction.fetch(_MARKS(most=most, present=transaction.present))
    over, later = list[tuple[str, ...]](), list[tuple[str, ...]]()
    for past, *columns in rows:
        mark, life = tuple(columns[:_MARK_ENDS]), tuple(columns[_MARK_ENDS:])
        due = watermark_due(watermark_from(mark), life_from(life))
        (over if due <= past else later).append((*mark[:2], str(due)))
    for statement, named in ((_MARKS_OVER, over), (_MARKS_LATER, later)):
        if named:
            apps, users, moments = zip(*named, strict=True)
            transaction.later(statement(apps=apps, users=users, moments=moments))
    return Round(len(rows), len(over))
