"""Log levels that hold in every worker for a while, as the feed tells of them."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from authsvc.model import Gone, LogLevel


class Levels:
    """The newest level of each scope. Whoever lays them over what is configured minds that their time ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._levels: dict[str, LogLevel] = {}

    def now(self) -> tuple[LogLevel, ...]:
        """Those that are known, by scope."""
        return tuple(sorted(self._levels.copy().values(), key=lambda level: level.scope))

    def load(self, levels: Iterable[LogLevel]) -> None:
        """Know exactly these."""
        with self._lock:
            self._levels = {level.scope: level for level in levels}

    def put(self, level: LogLevel) -> None:
        """Learn a level, unless what is known is newer."""
        with self._lock:
            known = self._levels.get(level.scope)
            if known is None or known.revision <= level.revision:
                self._levels[level.scope] = level

    def forget(self, gone: Gone) -> None:
        """Forget a scope's level, unless what is known is newer."""
        with self._lock:
            known = self._levels.get(gone.subject)
            if known is not None and known.revision < gone.revision:
                del self._levels[gone.subject]
