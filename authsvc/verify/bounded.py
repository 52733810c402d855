"""A memory that cannot grow beyond its bounds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

BUDGET: Final = 32 * 2**20


class Bounded(Generic[K, V]):
    """At most ``capacity`` entries for ``budget`` bytes of text, the longest kept leaving first.

    What is kept is a few times the text it stands for: the budget bounds the memory. Safe to use from many threads;
    finding takes no lock.
    """

    def __init__(self, capacity: int, *, budget: int = BUDGET) -> None:
        self._capacity = capacity
        self._budget = budget
        self._lock = threading.Lock()
        self._held = 0
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def find(self, key: K) -> V | None:
        """What is kept under that key."""
        entry = self._entries.get(key)
        return None if entry is None else entry[0]

    def keep(self, key: K, value: V, size: int) -> None:
        """Keep this, in the place of what was kept under the key; it stands for ``size`` bytes of text."""
        with self._lock:
            before = self._entries.get(key)
            self._held += size - (0 if before is None else before[1])
            self._entries[key] = value, size
            while len(self._entries) > self._capacity or self._held > self._budget:
                _, (_, oldest) = self._entries.popitem(last=False)
                self._held -= oldest

    def __len__(self) -> int:
        return len(self._entries)
