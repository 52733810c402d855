"""The backend for several machines: PostgreSQL through psycopg and its pool. The only importer of both.

Owns connections, transactions and the order in which this process's commits are told. One conditional statement turns
a session; the rest is small transactions that take the feed's number last. Must not know what the records mean.
"""

from authsvc.storage.postgres.opening import apply_missing, find_missing, open_postgres, restore, scrub
from authsvc.storage.postgres.store import PostgresStore

__all__ = ["PostgresStore", "apply_missing", "find_missing", "open_postgres", "restore", "scrub"]
