"""The embedded backend: SQLite through apsw, which brings its own, repaired library. The only importer of apsw.

Owns one file and its neighbours (write-ahead log, shared memory, lock). One writer thread commits in groups; a few
reader connections see whole commits only. Must not know what the records mean.
"""

from authsvc.storage.sqlite.opening import apply_missing, back_up, find_missing, open_sqlite, restore, scrub
from authsvc.storage.sqlite.store import SqliteStore

__all__ = ["SqliteStore", "apply_missing", "back_up", "find_missing", "open_sqlite", "restore", "scrub"]
