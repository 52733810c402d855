"""A store that ends whoever rotates on it, at any point of a change: before it, in its midst, or after its commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

import apsw
import psycopg

from authsvc.model import AuditEvent, SealedSecret
from authsvc.storage.base import Store
from tests.rotations.scene import Interrupted, Place

T = TypeVar("T")


class At(Enum):
    """Where of a change."""

    BEFORE = "before"
    WITHIN = "within"
    AFTER = "after"


@dataclass(frozen=True)
class Point:
    """The change with that number, from 0 on, and where of it."""

    change: int
    at: At

    def __str__(self) -> str:
        return f"{self.at.value}-{self.change}"


class CutStore:
    """The real store, as far as a rotation of secrets uses it, up to a point. Without one it only counts."""

    def __init__(self, store: Store, place: Place, point: Point | None = None) -> None:
        self._store = store
        self._place = place
        self._point = point
        self.changes = 0

    def secrets(self, purpose: str) -> tuple[SealedSecret, ...]:
        return self._store.secrets(purpose)

    def add_secret(self, secret: SealedSecret, audit: AuditEvent | None = None) -> SealedSecret:
        return self._change(lambda: self._store.add_secret(secret, audit))

    def remove_secret(self, purpose: str, number: int, audit: AuditEvent | None = None) -> bool:
        return self._change(lambda: self._store.remove_secret(purpose, number, audit))

    def _change(self, change: Callable[[], T]) -> T:
        at = self._point.at if self._point is not None and self._point.change == self.changes else None
        self.changes += 1
        if at is At.BEFORE:
            raise Interrupted
        if at is At.WITHIN:
            self._cut(change)
        changed = change()
        if at is At.AFTER:
            raise Interrupted
        return changed

    def _cut(self, change: Callable[[], object]) -> None:
        """Have the transaction end when the rows of secrets are changed and the audit is being written."""
        try:
            with self._place.unwritable("audit"):
                change()
        except (apsw.ConstraintError, psycopg.errors.RaiseException):
            raise Interrupted from None
