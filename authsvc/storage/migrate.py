"""The numbered changes of a schema, and which of them a store still needs. Knows no engine.

Owns the rule of migrations: numbered from 1 without a gap, applied once and in order, never changed afterwards.
A backend applies each in a transaction of its own and records its number, name and digest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from authsvc.storage.errors import MigrationChanged, SchemaTooNew

_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered change of the schema: ``0001_first.sql`` is number 1 with the name ``first``."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The digest of its text, by which a later change is noticed."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Applied:
    """A migration as a store remembers it."""

    number: int
    name: str
    sha256: str


def shipped(backend: str) -> tuple[Migration, ...]:
    """The migrations this program has for a backend, in order."""
    folder = resources.files("authsvc.storage") / "migrations" / backend
    found = [
        Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if (match := _FILE.fullmatch(entry.name))
    ]
    return in_order(found)


def in_order(migrations: Sequence[Migration]) -> tuple[Migration, ...]:
    """Those migrations by number; raises ``ValueError`` where a number is missing or used twice."""
    ordered = tuple(sorted(migrations, key=lambda migration: migration.number))
    if [migration.number for migration in ordered] != list(range(1, len(ordered) + 1)):
        raise ValueError(f"migrations are not numbered 1..{len(ordered)}")
    return ordered


def missing(known: Sequence[Migration], applied: Sequence[Applied]) -> tuple[Migration, ...]:
    """What a store that remembers ``applied`` (in order) still needs.

    Raises ``SchemaTooNew`` when it remembers more than is known, ``MigrationChanged`` when it remembers another text.
    """
    if len(applied) > len(known):
        raise SchemaTooNew(found=applied[-1].number, known=len(known))
    for before, migration in zip(applied, known, strict=False):
        if (before.number, before.sha256) != (migration.number, migration.sha256):
            raise MigrationChanged(
                migration.number,
                applied=f"{before.number:04}_{before.name} (sha256 {before.sha256[:12]})",
                shipped=f"{migration.number:04}_{migration.name} (sha256 {migration.sha256[:12]})",
            )
    return tuple(known[len(applied) :])
