"""From a store's address to a store. The addresses are those of the setting ``store_url``.

Texts of refusals name the scheme and what is wrong, never the address: it may hold a password.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from authsvc.clock import Clock, Randomness, system_randomness
from authsvc.storage import sqlite
from authsvc.storage.base import Store
from authsvc.storage.batches import StoreObserver
from authsvc.storage.errors import BackendMissing, StoreUnfit, StoreUrlInvalid
from authsvc.storage.migrate import Migration
from authsvc.storage.rows.restoring import BackedUp, Check, Progress, Restored

_FORMS = "use sqlite:///relative/path, sqlite:////absolute/path or postgresql://user:password@host/database"


def open_store(
    url: str,
    *,
    clock: Clock,
    forgets_by: Clock | None = None,
    randomness: Randomness = system_randomness,
    exclusive: bool = False,
    migrate: bool = False,
    observer: StoreObserver | None = None,
) -> Store:
    """Open the store at ``url``.

    ``exclusive`` is for who replaces what is there: refuse (``StoreInUse``) while anybody else has the store open, and
    keep all others out. Otherwise any number may, here and in other processes: each follows the others. A store of an
    older schema is refused (``SchemaTooOld``), or with ``migrate`` brought to this program's: a SQLite file only while
    nobody else has it open (``StoreInUse``). A SQLite file is made where there is none; ``clock`` is its clock, and
    ``forgets_by``, the same by default, the one by which it forgets what is over. An empty PostgreSQL database counts
    as old, and has a clock of its own. ``observer`` is told of the batches that a SQLite store writes, and of what
    rivals undo on PostgreSQL. Raises ``StoreRefused`` where an operator has to act, ``Unavailable`` where the engine
    cannot do it now, ``OSError`` where the files cannot be made.
    """
    if _is_postgres(url):
        with _driver_wanted():
            from authsvc.storage import postgres  # noqa: PLC0415 - here and below: its driver is an extra
        return postgres.open_postgres(url, exclusive=exclusive, migrate=migrate, observer=observer)
    path = sqlite_path(url)
    return sqlite.open_sqlite(
        path,
        clock=clock,
        forgets_by=forgets_by,
        randomness=randomness,
        exclusive=exclusive,
        migrate=migrate,
        observer=observer,
    )


def store_exists(url: str) -> bool | None:
    """Whether a store has its place at ``url`` already; None where only its server could tell. Raises
    ``StoreUrlInvalid``."""
    return None if _is_postgres(url) else sqlite_path(url).exists()


def find_missing(url: str) -> tuple[Migration, ...]:
    """The migrations the store at ``url`` still needs; makes and changes nothing. Raises as ``open_store``."""
    if _is_postgres(url):
        with _driver_wanted():
            from authsvc.storage import postgres  # noqa: PLC0415
        return postgres.find_missing(url)
    return sqlite.find_missing(sqlite_path(url))


def apply_missing(url: str, *, clock: Clock, randomness: Randomness = system_randomness) -> tuple[Migration, ...]:
    """Apply them, each in a transaction of its own; returns those that this call applied. Raises as ``open_store``."""
    if _is_postgres(url):
        with _driver_wanted():
            from authsvc.storage import postgres  # noqa: PLC0415
        return postgres.apply_missing(url)
    return sqlite.apply_missing(sqlite_path(url), clock=clock, randomness=randomness)


def scrub(url: str) -> None:
    """Leave nothing of rows that were replaced or removed in the files of the store at ``url``.

    For when nobody uses it: it is written anew. Raises as ``open_store``.
    """
    if _is_postgres(url):
        with _driver_wanted():
            from authsvc.storage import postgres  # noqa: PLC0415
        postgres.scrub(url)
    else:
        sqlite.scrub(sqlite_path(url))


def back_up(url: str, target: Path) -> BackedUp:
    """Copy the store at ``url``, which servers may be using, into a new file of mode 0600: all of it, or no file.

    Raises as ``open_store``, and ``StoreUnfit`` for a PostgreSQL database, which has tools of its own for that.
    """
    if _is_postgres(url):
        raise StoreUnfit(
            "a PostgreSQL database is backed up with PostgreSQL's own tools: pg_dump, or base backups with archived "
            "logs; after putting one back run `authsvc restore`"
        )
    return sqlite.back_up(sqlite_path(url), target)


def restore(
    url: str,
    copy: Path | None,
    *,
    check: Check,
    progress: Progress,
    clock: Clock,
    randomness: Randomness = system_randomness,
) -> Restored:
    """Make ``copy`` the store at ``url``, or (None) what an operator put there: all it was before ends.

    In a new epoch, at a revision past any that was ever given out, with all tokens revoked and all sessions ended;
    whole or not at all. ``check`` raises where what the copy holds cannot be used. Raises ``StoreInUse`` while anybody
    has the store open, and as ``open_store``.
    """
    if _is_postgres(url):
        if copy is not None:
            raise StoreUnfit(
                "a PostgreSQL database is put back with PostgreSQL's own tools (pg_restore, or a base backup); "
                "then run `authsvc restore` without FILE"
            )
        with _driver_wanted():
            from authsvc.storage import postgres  # noqa: PLC0415
        return postgres.restore(url, check=check, progress=progress)
    path = sqlite_path(url)
    return sqlite.restore(path, copy, check=check, clock=clock, randomness=randomness, progress=progress)


def sqlite_path(url: str) -> Path:
    """The path in a ``sqlite:///`` address; raises ``StoreUrlInvalid``."""
    parts = _split(url)
    if parts.scheme != "sqlite":
        raise StoreUrlInvalid(f"the store's address has an unknown scheme; {_FORMS}")
    path = unquote(parts.path.removeprefix("/"))
    if parts.netloc or parts.query or parts.fragment:
        raise StoreUrlInvalid(f"a sqlite address has a path and nothing else; {_FORMS}")
    if not path or path == ":memory:" or path.endswith("/") or "\0" in path:
        raise StoreUrlInvalid(f"a sqlite address names a file; {_FORMS}")
    return Path(path)


def _is_postgres(url: str) -> bool:
    return url.startswith(("postgresql://", "postgres://"))


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise StoreUrlInvalid(f"the store's address is malformed; {_FORMS}") from None


@contextmanager
def _driver_wanted() -> Iterator[None]:
    """Say what to install where the block imports a driver that is not there."""
    try:
        yield
    except ImportError as missing:
        if (missing.name or "psycopg").partition(".")[0] not in {"psycopg", "psycopg_pool"}:
            raise
        raise BackendMissing("a PostgreSQL store needs its driver: pip install 'authsvc[server,postgres]'") from None
