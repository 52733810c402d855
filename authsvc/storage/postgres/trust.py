"""What a worker decides from, and what people count: reads over several tables at one instant."""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from psycopg import sql

from authsvc.model import Revision
from authsvc.storage.base import TrustState
from authsvc.storage.postgres import keys as key_statements
from authsvc.storage.postgres import levels as level_statements
from authsvc.storage.postgres import secrets as secret_statements
from authsvc.storage.postgres import sessions, tokens
from authsvc.storage.postgres.present import NOW
from authsvc.storage.postgres.statement import Request, Row, Statement
from authsvc.storage.rows import accounts, apps, keys, levels, revocations, secrets

Fetch = Callable[[Request], list[Row]]

_HEAD = Statement(f"SELECT revision, {NOW} FROM feed_head")
_APPS = Statement(f"SELECT {apps.COLUMNS} FROM apps ORDER BY api_key")
_ACCOUNTS = Statement(f"SELECT {accounts.COLUMNS} FROM accounts ORDER BY id")
_CREDENTIALS = Statement(f"SELECT {accounts.CREDENTIAL_COLUMNS} FROM credentials ORDER BY account_id, position")
_WATERMARKS = f"SELECT {revocations.WATERMARK_COLUMNS} FROM watermarks ORDER BY api_key, user_id"

_PART: Final = 10_000
"""Rows that come at once of those of which there may be a million: nobody holds all of them in two forms."""

_CURSOR: Final = "DECLARE part NO SCROLL CURSOR FOR"
_REVOKED_SESSIONS = Statement(f"{_CURSOR} {sessions.REVOKED}", planned=True)
_REVOKED_TOKENS = Statement(f"{_CURSOR} {tokens.LIVE}", planned=True)
_ALL_WATERMARKS = Statement(f"{_CURSOR} {_WATERMARKS}", planned=True)
_NEXT_PART = Statement(f"FETCH {_PART} FROM part")
_NO_MORE = Statement("CLOSE part")
_TABLES = Statement(
    "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    ' ORDER BY relname COLLATE "C"'
)


def read_trust_state(fetch: Fetch, present: int | None) -> TrustState:
    """See ``Store.trust_state``; all that is fetched must be of one instant."""
    ((revision, now),) = fetch(_HEAD(present=present))
    return TrustState(
        revision=Revision(revision),
        apps=tuple(map(apps.from_row, fetch(_APPS()))),
        keys=tuple(map(keys.from_row, fetch(key_statements.READ_ALL()))),
        accounts=accounts.from_rows(fetch(_ACCOUNTS()), fetch(_CREDENTIALS())),
        sessions=revocations.sessions_of(_in_parts(fetch, _REVOKED_SESSIONS(now=now))),
        tokens=revocations.tokens_of(_in_parts(fetch, _REVOKED_TOKENS(now=now))),
        watermarks=revocations.watermarks_of(_in_parts(fetch, _ALL_WATERMARKS())),
        secrets=tuple(map(secrets.from_row, fetch(secret_statements.READ_ALL()))),
        levels=tuple(map(levels.from_row, fetch(level_statements.READ_ALL(now=now)))),
    )


def read_counts(fetch: Fetch) -> Mapping[str, int]:
    """See ``Store.counts``; all that is fetched must be of one instant."""
    return {name: fetch(_count(name)())[0][0] for (name,) in fetch(_TABLES())}


def _in_parts(fetch: Fetch, declaration: Request) -> Iterator[Row]:
    """Rows of a cursor, from its declaration to its end."""
    fetch(declaration)
    while part := fetch(_NEXT_PART()):
        yield from part
    fetch(_NO_MORE())


@functools.cache
def _count(table: str) -> Statement:
    return Statement(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)).as_string(), planned=True)
