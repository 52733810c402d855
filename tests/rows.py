"""What stands in a store's file, read beside the server, and rows that cannot be written, to see what else is not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import apsw


class AuditRow(NamedTuple):
    """One row of the audit; ``at`` in microseconds since 1970 UTC."""

    at: int
    revision: int
    action: str
    principal: str
    api_key: str
    subject: str
    outcome: str
    reason: str


class FeedRow(NamedTuple):
    """One row of the feed."""

    revision: int
    ordinal: int
    kind: str
    api_key: str
    subject: str


class Rows:
    """The file of the store in a state directory. Reads what is committed, as another process would."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "authsvc.db"

    def audit(self) -> list[AuditRow]:
        """All audit rows, oldest first."""
        columns = ", ".join(AuditRow._fields)
        return [AuditRow(*row) for row in self.read(f"SELECT {columns} FROM audit ORDER BY id")]  # noqa: S608

    def feed(self) -> list[FeedRow]:
        """All feed rows, oldest first."""
        return [FeedRow(*row) for row in self.read("SELECT * FROM feed ORDER BY revision, ordinal")]

    def revision(self) -> int:
        """The revision of the last commit."""
        ((revision,),) = self.read("SELECT revision FROM feed_head")
        assert isinstance(revision, int)
        return revision

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of all tables: equal before and after means that nothing was changed."""
        names = [name for (name,) in self.read("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        return {name: self.read(f'SELECT * FROM "{name}"') for name in names}  # noqa: S608

    def raw(self) -> bytes:
        """The bytes of the database and its write-ahead log."""
        return b"".join(path.read_bytes() for path in sorted(self._path.parent.glob("authsvc.db*")))

    def read(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement that reads."""
        with contextlib.closing(apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            return list(connection.execute(statement))

    @contextlib.contextmanager
    def unwritable(self, table: str) -> Iterator[None]:
        """While this lasts, whoever inserts into ``table`` fails."""
        self.tamper(f"CREATE TRIGGER full BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'full'); END")
        try:
            yield
        finally:
            self.tamper("DROP TRIGGER full")

    def tamper(self, statement: str) -> None:
        """Change the file behind the store's back."""
        with contextlib.closing(apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
            connection.set_busy_timeout(5_000)
            connection.execute(statement)
