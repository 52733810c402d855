"""Our own objects while a server is at work, and every way to make a text or bytes of one."""

from __future__ import annotations

import gc
import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any

from authsvc.logs import Level

SAMPLES = 10
"""How often the objects are gathered for each kind of log line: it takes a while."""

OF_A_TYPE = 200
"""How many objects of a type are kept."""

DATA = tuple(
    f"authsvc.{name}" for name in ("v1", "tokens", "verify", "model", "accounts", "apps", "operations", "storage.base")
)
"""Modules whose records hold what callers send as data: the id of a user is shown, whatever it is made of."""


class Gatherer:
    """A sink that keeps every object of ours that is alive when a line is written, some lines of each message.

    ``without`` names modules whose objects are left out.
    """

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._kept: Counter[type] = Counter()
        self.without: tuple[str, ...] = ("authsvc.v1",)
        self.objects: dict[int, object] = {}

    def __call__(self, level: Level, message: str, event: Mapping[str, Any]) -> None:
        del level, event
        self._seen[message] += 1
        if self._seen[message] <= SAMPLES:
            self.gather()

    def gather(self) -> None:
        """Keep what is there now."""
        self.keep(gc.get_objects())

    def keep(self, objects: Iterable[object]) -> None:
        """Keep those of them that are ours."""
        for one in objects:
            module = str(type(one).__module__)
            ours = module.startswith("authsvc.") and not module.startswith(self.without)
            if ours and id(one) not in self.objects and self._kept[type(one)] < OF_A_TYPE:
                self._kept[type(one)] += 1
                self.objects[id(one)] = one

    @property
    def types(self) -> set[str]:
        return {type(one).__name__ for one in self.objects.values()}

    def texts(self) -> bytes:
        """Each object by all that makes a text of it."""
        ways: tuple[Callable[[object], str], ...] = (repr, str, ascii, format)
        return "\n".join(way(one) for one in self.objects.values() for way in ways).encode()

    def pickles(self) -> bytes:
        """Each object that lets itself be pickled, alone: those it refers to are here too."""
        made = []
        for one in self.objects.values():
            if isinstance(one, Enum):
                continue
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
                with suppress(Exception):
                    made.append(pickle.dumps(one, protocol))
        return b"\n".join(made)
