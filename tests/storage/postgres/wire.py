"""A network between a store and its server that breaks at a chosen point of the conversation.

It reads PostgreSQL's messages (PostgreSQL documentation, "Message Formats"): a type byte and a length, but for the
first message of a connection, which has no type.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

_LENGTH = 4


class Cut(Enum):
    """Where a connection breaks. ``STALL`` breaks nothing: from then on nothing comes back."""

    BEFORE_COMMIT = "everything of the transaction arrives but the wish to commit"
    AFTER_COMMIT = "the commit is made, its answer is lost"
    STALL = "the commit is made, its answer never comes"


@dataclass
class _Pair:
    """Both ends of one connection, and what passed so far.

    ``cut`` is what is to happen to the commit under way, ``answer`` the message by which the server says it is made.
    """

    client: socket.socket
    server: socket.socket
    statements: dict[bytes, bytes] = field(default_factory=dict)
    block: bool = False
    touched: bool = False
    cut: Cut | None = None
    answer: bytes = b""


class Wire:
    """Listens on a port and passes everything on to a server's socket. ``broken`` counts what was cut.

    Without ``notifications`` it loses what the server tells unasked, as a pooler does.
    """

    def __init__(self, server: Path, *, table: str = "sessions", notifications: bool = True) -> None:
        self._server = str(server)
        self._notifications = notifications
        self._table = table.encode()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = [self._listening]
        self._lock = threading.Lock()
        self._next: Cut | None = None
        self._closed = False
        self.broken = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listening.getsockname()[1]
        return port

    def cut(self, how: Cut) -> None:
        """Break the next commit of a transaction that ends by changing the table, and only that one."""
        with self._lock:
            self._next = how

    def close(self) -> None:
        """Break everything and listen no more."""
        with self._lock:
            self._closed = True
            ends, self._ends = self._ends, []
        _hang_up(*ends)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.socket(socket.AF_UNIX)
                if not self._keep(client, server):
                    _hang_up(client, server)
                    return
                try:
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    server.connect(self._server)
                except OSError:
                    _hang_up(client, server)
                    continue
                pair = _Pair(client, server)
                for pump in (self._from_client, self._from_server):
                    threading.Thread(target=pump, args=(pair,), daemon=True).start()

    def _keep(self, *ends: socket.socket) -> bool:
        """Have them broken by ``close()``; False where that was before, and nobody else will."""
        with self._lock:
            if not self._closed:
                self._ends += ends
            return not self._closed

    def _from_client(self, pair: _Pair) -> None:
        with contextlib.suppress(OSError):
            pair.server.sendall(b"".join(_first_message(pair.client)))
            for kind, body in _messages(pair.client):
                self._note(pair, kind, body)
                if pair.cut is Cut.BEFORE_COMMIT:
                    break
                pair.server.sendall(_whole(kind, body))
        _hang_up(pair.client, pair.server)

    def _from_server(self, pair: _Pair) -> None:
        with contextlib.suppress(OSError):
            for kind, body in _messages(pair.server):
                if pair.cut is not None and (kind + body).startswith(pair.answer):
                    if pair.cut is Cut.STALL:
                        return
                    break
                if kind != b"A" or self._notifications:
                    pair.client.sendall(_whole(kind, body))
        _hang_up(pair.client, pair.server)

    def _note(self, pair: _Pair, kind: bytes, body: bytes) -> None:
        """Follow what the client says: Parse, Bind, and Sync, which commits what is in no block."""
        if kind == b"P":
            name, statement = body.split(b"\0")[:2]
            pair.statements[name] = statement
        elif kind == b"B":
            statement = pair.statements.get(body.split(b"\0")[1], b"")
            pair.block = statement == b"BEGIN" or (pair.block and statement not in (b"COMMIT", b"ROLLBACK"))
            pair.touched |= any(
                verb + self._table in statement for verb in (b"UPDATE ", b"INSERT INTO ", b"DELETE FROM ")
            )
            if statement == b"COMMIT" and pair.touched:
                pair.cut, pair.answer, pair.touched = self._take(), b"CCOMMIT\0", False
        elif kind == b"S":
            if pair.touched and not pair.block:
                pair.cut, pair.answer = self._take(), b"Z"
            pair.touched = False

    def _take(self) -> Cut | None:
        with self._lock:
            taken, self._next = self._next, None
            self.broken += taken is not None
            return taken


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
