"""A file system for SQLite that is the real one, but counts what it does and fails when it is told to."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable

import apsw

_NUMBERS = itertools.count()

Fault = Callable[[], None]


def io_error() -> None:
    """EIO: the disk could not."""
    raise apsw.exception_for(apsw.SQLITE_IOERR_FSYNC)


def disk_full() -> None:
    """ENOSPC: there is no room left."""
    raise apsw.exception_for(apsw.SQLITE_FULL)


class Disk(apsw.VFS):
    """Registered under ``name``. ``faults`` holds, by operation and kind of file, what happens instead.

    Operations are ``sync``, ``write`` and ``lock`` (exclusively), kinds ``log`` (the write-ahead log) and ``other``.
    """

    def __init__(self) -> None:
        self.name = f"test-disk-{next(_NUMBERS)}"
        self.faults: dict[tuple[str, str], Fault] = {}
        self.done: Counter[tuple[str, str]] = Counter()
        self.failed: Counter[tuple[str, str]] = Counter()
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        kind = "log" if flags[0] & apsw.SQLITE_OPEN_WAL else "other"
        return _File(name, flags, lambda operation: self._before(operation, kind))

    def _before(self, operation: str, kind: str) -> None:
        if fault := self.faults.get((operation, kind)):
            self.failed[operation, kind] += 1
            fault()
        self.done[operation, kind] += 1


class _File(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int], before: Callable[[str], None]) -> None:
        self._before = before
        super().__init__("", name, flags)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self._before("sync")
        super().xSync(flags)

    def xLock(self, level: int) -> None:  # noqa: N802 - SQLite's name
        if level == apsw.SQLITE_LOCK_EXCLUSIVE:
            self._before("lock")
        super().xLock(level)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._before("write")
        super().xWrite(data, offset)
