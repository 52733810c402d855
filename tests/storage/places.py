"""Where a store can be opened, again and again, and the clock it is given. ``Place`` is what a backend plugs in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from authsvc.clock import Clock
from authsvc.storage import open_store
from authsvc.storage.base import Store
from authsvc.storage.postgres import open_postgres

START = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)


class SettableClock:
    """Shows ``now`` and nothing else."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> datetime:
        """Move on (or back), and return the new moment."""
        self.now += by
        return self.now


class Place(Protocol):
    """An empty place for a store's data. Every opened store sees the same data; all are closed with the test."""

    def open(self, *, clock: Clock) -> Store:
        """Open a store there, beside those that are open already."""


class SqlitePlace:
    """A file that is not there yet."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "state" / "authsvc.db"
        self._opened: list[Store] = []

    @property
    def url(self) -> str:
        """The place as a setting."""
        return f"sqlite:///{self.path}"

    def open(self, *, clock: Clock) -> Store:
        store = open_store(self.url, clock=clock, exclusive=False)
        self._opened.append(store)
        return store

    def close(self) -> None:
        """Close every store that was opened here."""
        for store in self._opened:
            store.close()


class PostgresPlace:
    """A database that has the schema and nothing else. The clock is the server's where a test gives none."""

    def __init__(self, database: str, url: str) -> None:
        self.database = database
        self.url = url
        self._opened: list[Store] = []

    def open(self, *, clock: Clock) -> Store:
        store = open_postgres(self.url, exclusive=False, present=clock)
        self._opened.append(store)
        return store

    def close(self) -> None:
        """Close every store that was opened here."""
        for store in self._opened:
            store.close()
