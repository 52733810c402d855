"""From a store's address to a store. The addresses are those of the setting ``store_url``.

Texts of refusals name the scheme and what is wrong, never the address: it may hold a password.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from authsvc.clock import Clock, Randomness, system_randomness
from authsvc.storage.base import Store
from authsvc.storage.errors import StoreUrlInvalid
from authsvc.storage.sqlite import open_sqlite

_FORMS = "use sqlite:///relative/path or sqlite:////absolute/path"


def open_store(url: str, *, clock: Clock, randomness: Randomness = system_randomness, exclusive: bool = True) -> Store:
    """Open the store at ``url``, migrated to what this program knows.

    ``exclusive`` keeps other exclusive openers out while it is open (``StoreInUse``): a server sees only its own
    commits, so two must not share a file. Raises ``StoreRefused`` where an operator has to act, ``Unavailable`` where
    the engine cannot do it now, ``OSError`` where the files cannot be made.
    """
    return open_sqlite(sqlite_path(url), clock=clock, randomness=randomness, exclusive=exclusive)


def sqlite_path(url: str) -> Path:
    """The path in a ``sqlite:///`` address; raises ``StoreUrlInvalid``."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise StoreUrlInvalid(f"the store's address is malformed; {_FORMS}") from None
    if parts.scheme in {"postgres", "postgresql"}:
        raise StoreUrlInvalid(f"this version has no PostgreSQL backend; {_FORMS}")
    if parts.scheme != "sqlite":
        raise StoreUrlInvalid(f"the store's address has an unknown scheme; {_FORMS}")
    return _path(parts)


def _path(parts: SplitResult) -> Path:
    path = unquote(parts.path.removeprefix("/"))
    if parts.netloc or parts.query or parts.fragment:
        raise StoreUrlInvalid(f"a sqlite address has a path and nothing else; {_FORMS}")
    if not path or path == ":memory:" or path.endswith("/") or "\0" in path:
        raise StoreUrlInvalid(f"a sqlite address names a file; {_FORMS}")
    return Path(path)
