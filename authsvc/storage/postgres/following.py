"""What was committed after a revision, by whichever process: the feed's rows, and the things they name.

A page costs a statement for each kind of thing in it, however many there are.
"""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from authsvc.model import Change, Revision, Subject
from authsvc.storage.base import FeedPage
from authsvc.storage.postgres.statement import Request, Row, Statement
from authsvc.storage.rows import accounts, apps, keys, levels, revocations, secrets
from authsvc.storage.rows.following import ENTRY_COLUMNS, commits_from, reaches

Fetch = Callable[[Request], list[Row]]

HEAD: Final = Statement("SELECT revision FROM feed_head")

_REACH = Statement("""
SELECT head.revision, oldest.revision, oldest.ordinal FROM feed_head AS head
LEFT JOIN LATERAL (SELECT revision, ordinal FROM feed ORDER BY revision, ordinal LIMIT 1) AS oldest ON true""")

# Up to the commit at which the page is full, or all that there is.
_ENTRIES = Statement(f"""
SELECT {ENTRY_COLUMNS} FROM feed WHERE revision > :after AND revision <= (
    SELECT max(revision) FROM (
        SELECT DISTINCT revision FROM feed WHERE revision > :after ORDER BY revision LIMIT :limit
    ) AS page
) ORDER BY revision, ordinal""")


def _named(columns: str, table: str, condition: str) -> Statement:
    """What a table has of the things that are named, each by its app and its name there.

    They come as arrays, whose lengths the planner sees.
    """
    return Statement(
        f"""
SELECT {columns} FROM unnest(:apps::text[], :subjects::text[]) AS named (app, subject)
JOIN {table} ON {condition}""",
        planned=True,
    )


_STATEMENTS: Final[Mapping[Subject, tuple[Statement, Callable[[Row], Change]]]] = {
    Subject.APP: (_named(apps.COLUMNS, "apps", "api_key = app"), apps.from_row),
    Subject.KEY: (_named(keys.COLUMNS, "keys", "api_key = app AND key_id = subject"), keys.from_row),
    Subject.SESSION: (
        _named(
            revocations.SESSION_COLUMNS, "sessions", "id = uuid_send(subject::uuid) AND revoked_revision IS NOT NULL"
        ),
        revocations.session_from,
    ),
    Subject.TOKEN: (
        _named(revocations.TOKEN_COLUMNS, "revoked_tokens", "api_key = app AND token_id = subject"),
        revocations.token_from,
    ),
    Subject.WATERMARK: (
        _named(revocations.WATERMARK_COLUMNS, "watermarks", "api_key = app AND user_id = subject"),
        revocations.watermark_from,
    ),
    Subject.SECRET: (
        _named(secrets.COLUMNS, "secrets", "purpose || '/' || number = subject"),
        secrets.from_row,
    ),
    Subject.LEVEL: (_named(levels.COLUMNS, "log_levels", "scope = subject"), levels.from_row),
}

_ACCOUNTS = Statement(f"SELECT {accounts.COLUMNS} FROM accounts WHERE id = ANY(:subjects::text[])")
_CREDENTIALS = Statement(f"""
SELECT {accounts.CREDENTIAL_COLUMNS} FROM credentials WHERE account_id = ANY(:subjects::text[])
ORDER BY account_id, position""")


def read_changes(fetch: Fetch, after: Revision, limit: int) -> FeedPage | None:
    """See ``Store.changes_since``; all that is fetched must be of one instant."""
    ((head, *oldest),) = fetch(_REACH())
    if after >= head:
        return FeedPage(Revision(head), ())
    if not reaches(None if oldest[0] is None else (oldest[0], oldest[1]), head, after):
        return None
    entries = fetch(_ENTRIES(after=after, limit=limit))
    return FeedPage(Revision(head), commits_from(entries, lambda kind: _read(fetch, kind, entries)))


def _read(fetch: Fetch, kind: Subject, entries: Iterable[Row]) -> Iterable[Change]:
    named = dict.fromkeys((app, subject) for _, found, app, subject in entries if found == kind)
    names = {"apps": tuple(app for app, _ in named), "subjects": tuple(subject for _, subject in named)}
    if kind is Subject.ACCOUNT:
        return accounts.from_rows(fetch(_ACCOUNTS.of(names)), fetch(_CREDENTIALS.of(names)))
    statement, from_row = _STATEMENTS[kind]
    return map(from_row, fetch(statement.of(names)))
