"""TLS from files, which are read again when they change on disk: a renewed certificate needs no restart."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from authsvc.logs import Logger


_Stamp = tuple[tuple[int, int, int], ...]


class TlsUnusable(ValueError):
    """The files cannot be used; the text says which and why, and shows nothing of a key."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: ``roots`` that the service's certificate leads to (none: those of the system), and the
    ``certificate`` chain that this client shows with its unencrypted ``key``."""

    roots: str | Path | None = None
    certificate: str | Path | None = None
    key: str | Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a client's certificate and its key come together")


class FollowedFiles:
    """TLS files followed through changes: a set that does not fit together never replaces one that did."""

    def __init__(self, files: TlsFiles, log: Logger) -> None:
        self._files = files
        self._log = log
        self._stamp = self._look()
        self._contents = _read(files)

    def credentials(self) -> grpc.ChannelCredentials:
        """What the files said when they were last good."""
        return grpc.ssl_channel_credentials(self._contents.roots, self._contents.key, self._contents.certificate)

    def renewed(self) -> bool:
        """Whether they have changed since this was last asked, to something that can be used."""
        stamp = self._look()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self._contents = _read(self._files)
        except TlsUnusable as fault:
            self._log.error("TLS files changed and cannot be used; the last good ones stay", detail=str(fault))
            return False
        self._log.info("TLS files changed; calls from now on go over a new connection")
        return True

    def _look(self) -> _Stamp:
        paths = (self._files.roots, self._files.certificate, self._files.key)
        return tuple(_stamp_of(path) for path in paths if path is not None)


@dataclass(frozen=True, slots=True)
class _Contents:
    roots: bytes | None
    certificate: bytes | None
    key: bytes | None = field(repr=False)


def _read(files: TlsFiles) -> _Contents:
    from authsvc.client import pem  # noqa: PLC0415 - a third of what the client costs to import, and few have files

    contents = _Contents(*(_bytes_of(path) for path in (files.roots, files.certificate, files.key)))
    try:
        pem.check(contents.roots, contents.certificate, contents.key)
    except pem.Unusable as fault:
        where = {"roots": files.roots, "certificate": files.certificate, "key": files.key}
        raise TlsUnusable(f"{where[fault.part]} {fault}") from None
    return contents


def _bytes_of(path: str | Path | None) -> bytes | None:
    try:
        return None if path is None else Path(path).read_bytes()
    except OSError as fault:
        raise TlsUnusable(f"{path} cannot be read: {fault.strerror}") from None


def _stamp_of(path: str | Path) -> tuple[int, int, int]:
    try:
        status = Path(path).stat()  # follows links: mounted secrets are replaced by moving one
    except OSError:
        return (0, 0, 0)
    return (status.st_ino, status.st_mtime_ns, status.st_size)
