"""The write-ahead log's size: what is durable in it is moved to the database once it has grown.

SQLite would do that inside the commit that makes the log large enough. Here it is done after the callers were told:
they do not wait for it, and its failure is not theirs.
"""

from __future__ import annotations

import contextlib
from typing import Final

import apsw

LARGE: Final = 1000
"""Pages in the log from which on it is moved (4 MB)."""


class Log:
    """Watches the commits of one connection."""

    def __init__(self) -> None:
        self._pages = 0

    def watch(self, connection: apsw.Connection) -> apsw.Connection:
        """Be told by this connection how large the log is, and keep SQLite from moving it by itself."""
        connection.set_wal_hook(self._note)
        return connection

    def tidy(self, connection: apsw.Connection) -> None:
        """Move the log's content when it is large; what readers still need stays, and the next commit tries again."""
        if self._pages >= LARGE:
            with contextlib.suppress(apsw.Error):
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def _note(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK
