"""The database's files: made for their owner alone, whatever the umask says.

SQLite gives the write-ahead log and the shared memory the mode of the database, so one mode decides for all three.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from authsvc.storage.errors import NotAStore

_PRIVATE_FILE = 0o600
_PRIVATE_DIRECTORY = 0o700
_NOT_THE_OWNER = 0o077
_BESIDE = ("", "-wal", "-shm")


def prepare(path: Path) -> None:
    """Make the database's directory and an empty file where they are missing, and shut others out of the files.

    Raises ``NotAStore`` where the path is no file, and ``OSError``.
    """
    make_directory(path.parent)
    _make_file(path)
    for suffix in _BESIDE:
        _shut_out_others(path.with_name(path.name + suffix))


def open_private(path: Path, flags: int) -> int:
    """Open a file, making it for the owner alone when it is missing; returns the descriptor."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
    os.fchmod(descriptor, _PRIVATE_FILE)
    return descriptor


def make_directory(path: Path) -> None:
    """Make it and those it is in, where they are missing, for the owner alone."""
    if path.is_dir():
        return
    make_directory(path.parent)
    try:
        path.mkdir(_PRIVATE_DIRECTORY)
    except FileExistsError:  # another process was first, or it is no directory: opening the file will tell
        return
    path.chmod(_PRIVATE_DIRECTORY)


def _make_file(path: Path) -> None:
    # Never opened when it exists: closing a descriptor would drop the locks SQLite holds on the file in this process.
    try:
        os.close(open_private(path, os.O_RDWR | os.O_EXCL))
    except FileExistsError:
        return
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Have the names in it on the disk: a file is lost with its name, however well its contents were written."""
    _sync(path, os.O_DIRECTORY)


def sync_file(path: Path) -> None:
    """Have its contents on the disk."""
    _sync(path, 0)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _shut_out_others(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise NotAStore(f"{path} is not a file")
    if mode & _NOT_THE_OWNER:
        path.chmod(_PRIVATE_FILE)
