"""What stops a store from opening or from being understood: faults for the operator, never for a caller.

Owns these types and their sentences. Must not name credentials: a store's address may hold a password, so no text
here repeats one.
"""

from __future__ import annotations

from authsvc.errors import Reason, Unavailable


class StoreRefused(Exception):
    """The store cannot be opened as asked; the text says what would be right."""


class StoreUrlInvalid(StoreRefused, ValueError):
    """The address names no store this version can open."""


class BackendMissing(StoreRefused):
    """The address is right, but what this backend needs is not installed."""


class Unreachable(Unavailable):
    """No connection to the database can be made; ``sentence`` says to where, and what to look at."""

    def __init__(self, sentence: str, *, detail: str) -> None:
        super().__init__(Reason.STORE_UNAVAILABLE, detail=detail)
        self.sentence = sentence


class StoreInUse(StoreRefused):
    """Another process holds the store for itself."""


class NotAStore(StoreRefused):
    """Something else is where the store should be."""


class NotTheStore(StoreRefused):
    """A database is where the store should be that is not the one that was there; the text says what to do."""


class DamagedStore(StoreRefused):
    """A database cannot be read as a whole."""


class StoreUnfit(StoreRefused):
    """The database is there but cannot keep what the store must keep; the text says what is missing."""


class SchemaTooOld(StoreRefused):
    """The store has not seen all migrations of this program, and they are not applied without being asked for."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"the store's schema is version {found}, this program needs {known}: run `authsvc migrate` "
            "(with --dry-run it only shows what it would do)"
        )
        self.found = found
        self.known = known


class SchemaTooNew(StoreRefused):
    """The store was migrated by a newer version of the service."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"the store's schema is version {found}, this program knows up to {known}: run a version that knows it"
        )
        self.found = found
        self.known = known


class MigrationChanged(StoreRefused):
    """A migration that was applied to the store is not the one this program has under its number."""

    def __init__(self, number: int, applied: str, shipped: str) -> None:
        super().__init__(
            f"migration {number} was applied as {applied}, this program has {shipped}: "
            "an applied migration must never change; run the version that made the store"
        )
        self.number = number


class StoredDataInvalid(Exception):
    """A stored text is not what this version writes; the message names the record and the field, never a value."""
