"""Bringing a database to the schema this program knows, and finding out whether it is there.

Any number of processes may do this at the same time: each migration is applied by one and found done by the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from psycopg import errors

from authsvc.clock import deadline_after
from authsvc.storage.errors import NotAStore, SchemaTooOld, StoreUnfit
from authsvc.storage.migrate import Applied, Migration, missing
from authsvc.storage.postgres.link import Link
from authsvc.storage.postgres.statement import Statement

# Another process's migration may take its time, and so may ours.
_NO_LIMITS: Final = "SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true)"

# But a change of a table waits for those who use it, and everybody else then waits for the change.
_NOT_FOR_LONG: Final = "SELECT set_config('lock_timeout', '15s', true)"

# Of this kind of lock, and of this schema: one database may hold several stores.
_ALONE: Final = "SELECT pg_advisory_xact_lock(%s, hashtext(current_schema()))"
MIGRATING: Final = 0x61757468  # "auth"

_EPOCH = Statement("SELECT epoch FROM meta")
_PATIENCE: Final = 5.0

_REMEMBER: Final = """
CREATE TABLE IF NOT EXISTS migrations (
    number     BIGINT NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    sha256     TEXT COLLATE "C" NOT NULL,
    applied_at BIGINT NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
)"""

_TABLES: Final = (
    "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')"
)


def due(link: Link, migrations: Sequence[Migration]) -> tuple[Migration, ...]:
    """What the database still needs, in order; changes nothing.

    Raises ``NotAStore``, ``StoreUnfit``, ``SchemaTooNew``, ``MigrationChanged`` and ``psycopg.Error``.
    """
    return missing(migrations, _applied(link))


def apply_due(link: Link, migrations: Sequence[Migration]) -> tuple[Migration, ...]:
    """Apply what is missing, each in a transaction of its own; returns what this call applied. Raises as ``due``."""
    applied = []
    while due(link, migrations):
        with link.transaction():
            link.execute(_NO_LIMITS)
            link.execute(_ALONE, (MIGRATING,))
            link.execute(_NOT_FOR_LONG)
            link.execute(_REMEMBER)
            still = due(link, migrations)  # again: another process may have been here meanwhile
            if still:
                _apply(link, still[0])
                applied.append(still[0])
    return tuple(applied)


def refuse_old(link: Link, migrations: Sequence[Migration]) -> None:
    """Raise ``SchemaTooOld`` where something is missing; otherwise as ``due``."""
    needed = due(link, migrations)
    if needed:
        raise SchemaTooOld(found=len(migrations) - len(needed), known=len(migrations))


def read_epoch(link: Link) -> int:
    """The store's epoch, where the server says it in time."""
    (rows,) = link.exchange([_EPOCH()], deadline_after(_PATIENCE))
    if not rows:
        raise NotAStore("the store's own row is missing: the database was altered by something else")
    return int(rows[0][0])


def _apply(link: Link, migration: Migration) -> None:
    link.execute(migration.sql)
    link.execute(
        "INSERT INTO migrations (number, name, sha256) VALUES (%s, %s, %s)",
        (migration.number, migration.name, migration.sha256),
    )


def _applied(link: Link) -> Sequence[Applied]:
    tables = {name for (name,) in link.execute(_TABLES)}
    if not tables:
        _refuse_nowhere(link)
        return ()
    try:
        if "migrations" in tables:
            rows = link.execute("SELECT number, name, sha256 FROM migrations ORDER BY number")
            return [Applied(*row) for row in rows]
    except errors.UndefinedColumn:
        pass  # a table of that name, but not ours
    raise NotAStore("the schema holds tables of something else: give the store a database or a schema of its own")


def _refuse_nowhere(link: Link) -> None:
    row = link.execute("SELECT current_schema()").fetchone()
    if row is None or row[0] is None:
        raise StoreUnfit("the role's search_path names no schema that is there")
