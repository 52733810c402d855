"""A network between a store and its server that breaks at a chosen point of the conversation.

It reads PostgreSQL's messages (PostgreSQL documentation, "Message Formats"): a type byte and a length, but for the
first message of a connection, which has no type.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

_LENGTH = 4


class Cut(Enum):
    """Where a connection breaks. ``STALL`` breaks nothing: from then on nothing passes."""

    BEFORE_COMMIT = "everything of the transaction arrives but the wish to commit"
    AFTER_COMMIT = "the commit is made, its answer is lost"
    STALL = "the commit is made, its answer never comes"


class Wire:
    """Listens on a port and passes everything on to a server's socket. ``cut`` says when the next connection breaks."""

    def __init__(self, server: Path) -> None:
        self._server = str(server)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = [self._listening]
        self._lock = threading.Lock()
        self._next: Cut | None = None
        self.broken = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listening.getsockname()[1]
        return port

    def cut(self, how: Cut) -> None:
        """Break the next connection that commits, and only that one."""
        with self._lock:
            self._next = how

    def close(self) -> None:
        """Break everything and listen no more."""
        for end in self._ends:
            _hang_up(end)

    def _take(self, *moments: Cut) -> Cut | None:
        """What is to happen at this moment; for one connection only."""
        with self._lock:
            taken = self._next if self._next in moments else None
            if taken is not None:
                self._next = None
                self.broken += 1
            return taken

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                self._ends += [client, server]
                for pump in (self._from_client, self._from_server):
                    threading.Thread(target=pump, args=(client, server), daemon=True).start()

    def _from_client(self, client: socket.socket, server: socket.socket) -> None:
        commits: set[bytes] = set()
        with contextlib.suppress(OSError):
            server.sendall(b"".join(_first_message(client)))
            for kind, body in _messages(client):
                if kind == b"P" and body.split(b"\0")[1] == b"COMMIT":
                    commits.add(body.split(b"\0")[0])
                if kind == b"B" and body.split(b"\0")[1] in commits and self._take(Cut.BEFORE_COMMIT):
                    break
                server.sendall(_whole(kind, body))
        _hang_up(client, server)

    def _from_server(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            for kind, body in _messages(server):
                if kind == b"C" and body == b"COMMIT\0":
                    how = self._take(Cut.AFTER_COMMIT, Cut.STALL)
                    if how is Cut.STALL:
                        return
                    if how is Cut.AFTER_COMMIT:
                        break
                client.sendall(_whole(kind, body))
        _hang_up(client, server)


def _first_message(end: socket.socket) -> tuple[bytes, bytes]:
    length = _read(end, _LENGTH)
    return length, _read(end, int.from_bytes(length) - _LENGTH)


def _messages(end: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    while True:
        kind = _read(end, 1)
        yield kind, _read(end, int.from_bytes(_read(end, _LENGTH)) - _LENGTH)


def _whole(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + _LENGTH).to_bytes(_LENGTH) + body


def _read(end: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        part = end.recv(size - len(read))
        if not part:
            raise OSError("the other side hung up")
        read += part
    return read


def _hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
