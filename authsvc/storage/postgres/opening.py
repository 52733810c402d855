"""From an address to a store: the first connection, schema, lock, pool, in this order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from secrets import token_hex

import psycopg
from psycopg import errors, sql

from authsvc.storage.batches import StoreObserver, Unobserved
from authsvc.storage.errors import StoreUnfit
from authsvc.storage.migrate import Migration, shipped
from authsvc.storage.postgres.database import SETTINGS, Database, database_at
from authsvc.storage.postgres.faults import ENGINE_FAULTS, unavailable
from authsvc.storage.postgres.hints import Hints
from authsvc.storage.postgres.link import Link
from authsvc.storage.postgres.links import Links
from authsvc.storage.postgres.lock import StoreLock
from authsvc.storage.postgres.present import Present, servers_clock
from authsvc.storage.postgres.restoring import restore_database
from authsvc.storage.postgres.schema import apply_due, due, refuse_old
from authsvc.storage.postgres.store import PostgresStore
from authsvc.storage.postgres.unreachable import unreachable
from authsvc.storage.rows.restoring import Check, Progress, Restored

BACKEND = "postgres"


def open_postgres(
    url: str,
    *,
    exclusive: bool,
    migrate: bool = False,
    observer: StoreObserver | None = None,
    present: Present = servers_clock,
    settings: Mapping[str, str] = SETTINGS,
) -> PostgresStore:
    """Open the store at ``url``; with ``migrate`` apply the migrations it still needs, without it refuse.

    ``exclusive``: refuse (``StoreInUse``) while anybody else has it open, and keep all others out; otherwise any number
    may, in this process and in others, but for one that wants it alone. ``present`` stands for the server's
    clock where a test needs another, ``settings`` are those of every session. Raises ``StoreRefused`` and
    ``Unavailable``.
    """
    database = database_at(url, settings)
    with connected(database) as link:
        if migrate:
            apply_due(link, shipped(BACKEND))
        else:
            refuse_old(link, shipped(BACKEND))
        with contextlib.ExitStack() as undo:
            lock = undo.enter_context(contextlib.closing(StoreLock(database, exclusive=exclusive)))
            links = Links(database)
            undo.pop_all()
    origin = token_hex(8)
    hints = Hints(database, origin)
    return PostgresStore(links, hints, lock, present=present, origin=origin, observer=observer or Unobserved())


def find_missing(url: str) -> tuple[Migration, ...]:
    """The migrations the store at ``url`` still needs; changes nothing. Raises as ``open_postgres``."""
    with connected(database_at(url)) as link:
        return due(link, shipped(BACKEND))


def apply_missing(url: str) -> tuple[Migration, ...]:
    """Apply them; returns those that this call applied. Raises as ``open_postgres``."""
    with connected(database_at(url)) as link:
        return apply_due(link, shipped(BACKEND))


def scrub(url: str) -> None:
    """Write the tables of keys and secrets anew, so that nothing of replaced rows is left in them.

    Waits for whoever uses them. Raises as ``open_postgres``.
    """
    with connected(database_at(url)) as link:
        link.autocommit = True
        link.execute("SET statement_timeout = 0")
        for table in ("keys", "secrets"):
            link.execute(sql.SQL("VACUUM (FULL) {}").format(sql.Identifier(table)))


def restore(url: str, *, check: Check, progress: Progress, present: Present = servers_clock) -> Restored:
    """Take what is in the database, put there by an operator, for the store. Raises as ``open_postgres``."""
    database = database_at(url)
    with connected(database) as link:
        return restore_database(link, database, check=check, present=present, progress=progress)


@contextlib.contextmanager
def connected(database: Database) -> Iterator[Link]:
    """A connection of its own for an operator's work; faults of the engine come as refusals."""
    try:
        with contextlib.closing(_connect(database)) as link:
            yield link
    except errors.ReadOnlySqlTransaction:
        raise StoreUnfit(
            "the database takes no changes (a standby, or default_transaction_read_only): name the primary; "
            "with several hosts in the address add target_session_attrs=read-write"
        ) from None
    except errors.InsufficientPrivilege:
        raise StoreUnfit("the database role lacks a privilege on the store's schema or tables") from None
    except psycopg.Error as fault:
        if isinstance(fault, ENGINE_FAULTS):
            raise unavailable(fault) from None
        raise


def _connect(database: Database) -> Link:
    try:
        return database.connect()
    except psycopg.OperationalError as fault:
        if fault.sqlstate is not None:  # it is there, and says what is wrong
            raise
        raise unreachable(fault, database.conninfo) from None
