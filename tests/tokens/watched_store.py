"""A real store behind a thin wrapper that tells what it was asked, or does something before it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from authsvc.storage.base import Store


class WatchedStore:
    """Passes everything on; ``calls`` names what was asked of it, reading the epoch included."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        return getattr(self._store, name)


class InterruptedStore:
    """Passes everything on; before the first call of ``method`` it does ``first``, as a faster caller would."""

    def __init__(self, store: Store, method: str, first: Callable[[], object]) -> None:
        self._store = store
        self._method = method
        self._first: Callable[[], object] | None = first

    def __getattr__(self, name: str) -> Any:
        if name == self._method and self._first is not None:
            first, self._first = self._first, None
            first()
        return getattr(self._store, name)
