"""What was committed after a revision, by whichever process: the feed's rows, and the things they name.

A page costs a statement for each kind of thing in it, however many there are: the feed is joined with their table.
"""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

import apsw

from authsvc.model import Change, Revision, Subject
from authsvc.storage.base import FeedPage
from authsvc.storage.rows import accounts, apps, keys, levels, revocations, secrets
from authsvc.storage.rows.following import ENTRY_COLUMNS, commits_from, reaches
from authsvc.storage.sqlite.connection import Row, fetch, fetch_one

_OLDEST = "SELECT revision, ordinal FROM feed ORDER BY revision, ordinal LIMIT 1"

# The last revision of a page: that of the commit at which it is full, where there are so many.
_LAST = """
SELECT DISTINCT revision FROM feed WHERE revision > ? ORDER BY revision LIMIT 1 OFFSET ?"""

_ENTRIES = f"SELECT {ENTRY_COLUMNS} FROM feed WHERE revision > ? AND revision <= ? ORDER BY revision, ordinal"

# What rows of one kind name, each once. CROSS JOIN: the page is the outer loop, the table is looked into by its key.
_NAMED = """
FROM (
    SELECT DISTINCT api_key AS named_app, subject FROM feed WHERE revision > ? AND revision <= ? AND kind = '{}'
) CROSS JOIN {} WHERE {}"""


def _named(kind: Subject, columns: str, table: str, condition: str) -> str:
    return f"SELECT {columns} {_NAMED.format(kind, table, condition)}"


_UUID = "unhex(subject, '-')"

_STATEMENTS: Final[Mapping[Subject, tuple[str, Callable[[Row], Change]]]] = {
    Subject.APP: (_named(Subject.APP, apps.COLUMNS, "apps", "api_key = named_app"), apps.from_row),
    Subject.KEY: (
        _named(Subject.KEY, keys.COLUMNS, "keys", "api_key = named_app AND key_id = subject"),
        keys.from_row,
    ),
    Subject.SESSION: (
        _named(Subject.SESSION, revocations.SESSION_COLUMNS, "sessions", f"id = {_UUID} AND revoked_at IS NOT NULL"),
        revocations.session_from,
    ),
    Subject.TOKEN: (
        _named(
            Subject.TOKEN, revocations.TOKEN_COLUMNS, "revoked_tokens", "api_key = named_app AND token_id = subject"
        ),
        revocations.token_from,
    ),
    Subject.WATERMARK: (
        _named(
            Subject.WATERMARK, revocations.WATERMARK_COLUMNS, "watermarks", "api_key = named_app AND user_id = subject"
        ),
        revocations.watermark_from,
    ),
    Subject.SECRET: (
        _named(Subject.SECRET, secrets.COLUMNS, "secrets", "purpose || '/' || number = subject"),
        secrets.from_row,
    ),
    Subject.LEVEL: (_named(Subject.LEVEL, levels.COLUMNS, "log_levels", "scope = subject"), levels.from_row),
}

_ACCOUNTS = _named(Subject.ACCOUNT, accounts.COLUMNS, "accounts", "id = subject")
_CREDENTIALS = (
    _named(Subject.ACCOUNT, accounts.CREDENTIAL_COLUMNS, "credentials", "account_id = subject")
    + " ORDER BY account_id, position"
)


def read_changes(connection: apsw.Connection, after: Revision, limit: int) -> FeedPage | None:
    """See ``Store.changes_since``; to be run in one read transaction."""
    ((head,),) = fetch(connection, "SELECT revision FROM feed_head")
    if after >= head:
        return FeedPage(head, ())
    if not reaches(fetch_one(connection, _OLDEST), head, after):
        return None
    full = fetch_one(connection, _LAST, (after, limit - 1))
    page = (after, head if full is None else full[0])
    entries = fetch(connection, _ENTRIES, page)
    return FeedPage(head, commits_from(entries, partial(_read, connection, page)))


def _read(connection: apsw.Connection, page: tuple[int, int], kind: Subject) -> Iterable[Change]:
    if kind is Subject.ACCOUNT:
        return accounts.from_rows(fetch(connection, _ACCOUNTS, page), fetch(connection, _CREDENTIALS, page))
    statement, from_row = _STATEMENTS[kind]
    return map(from_row, fetch(connection, statement, page))
