"""A client that does what gRPC's own never would: HTTP/2 frames by hand (RFC 9113), headers without bodies, any byte.

Header blocks are literals without Huffman coding (RFC 7541). The answers' are read as the server writes them to a peer
without a header table; what it codes by Huffman (binary details) is left out, as each refusal names its reason in the
message too.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_HEADER_LIST_SIZE = 1, 3, 4, 6
CANCEL, REFUSED_STREAM = 8, 7

_WIDE = 1 << 24  # bytes that may be sent to us without our asking for more

_STATIC = {8: (":status", "200"), 12: (":status", "400"), 13: (":status", "404"), 14: (":status", "500")}
_STATIC_NAMES = {8: ":status", 31: "content-type"}

Metadata = Iterable[tuple[str, str | bytes]]


@dataclass
class Answer:
    """How a stream ended: headers and trailers in one, the bytes of its messages, or the code of its reset."""

    headers: dict[str, str] = field(default_factory=dict)
    data: bytes = b""
    reset: int | None = None
    ended: bool = False

    @property
    def status(self) -> int | None:
        """The gRPC status code, if one came."""
        return int(self.headers["grpc-status"]) if "grpc-status" in self.headers else None

    @property
    def reason(self) -> str:
        """The reason, which each refusal's message begins with."""
        return unquote(self.headers.get("grpc-message", "")).partition(":")[0]

    @property
    def messages(self) -> list[bytes]:
        """The messages received whole."""
        found, rest = [], self.data
        while len(rest) >= 5 and len(rest) >= 5 + int.from_bytes(rest[1:5], "big"):
            size = int.from_bytes(rest[1:5], "big")
            found.append(rest[5 : 5 + size])
            rest = rest[5 + size :]
        return found


class Connection:
    """One connection. Everything it reads is bounded by a timeout of ten seconds."""

    def __init__(self, target: str, settings: Mapping[int, int] | None = None, *, source: str = "") -> None:
        host, _, port = target.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10, source_address=(source, 0))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._next = 1
        self._answers: dict[int, Answer] = {}
        self._acknowledged = 0
        self.settings: dict[int, int] = {}
        try:
            self._greet({HEADER_TABLE_SIZE: 0, INITIAL_WINDOW_SIZE: _WIDE, **(settings or {})})
        except OSError:
            self._socket.close()
            raise

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def call(self, path: str, metadata: Metadata = (), *, more: Metadata = ()) -> int:
        """Send the headers of a call and nothing of a body; returns the stream."""
        stream, self._next = self._next, self._next + 2
        fixed = ((":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "test"))
        grpc = (("te", "trailers"), ("content-type", "application/grpc"))
        block = b"".join(_literal(name, value) for name, value in (*fixed, *grpc, *metadata, *more))
        self._answers[stream] = Answer()
        self._frame(HEADERS, END_HEADERS, stream, block)
        return stream

    def send(self, stream: int, message: bytes) -> None:
        """Send the one message of a call and say that it is the last."""
        self._frame(DATA, END_STREAM, stream, b"\0" + struct.pack(">I", len(message)) + message)

    def end(self, stream: int) -> None:
        """Say that no message comes."""
        self._frame(DATA, END_STREAM, stream, b"")

    def ping(self) -> None:
        """Ask whether anyone is there."""
        self._frame(PING, 0, 0, b"whatever")

    def cancel(self, stream: int) -> None:
        """Take the call back."""
        self._frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))

    def answer(self, stream: int) -> Answer:
        """Wait for the end of a stream."""
        while not self._answers[stream].ended:
            self._read()
        return self._answers[stream]

    def received(self, stream: int, messages: int) -> list[bytes]:
        """Wait for that many messages of a stream."""
        while len(self._answers[stream].messages) < messages and not self._answers[stream].ended:
            self._read()
        return self._answers[stream].messages

    def ended(self, at_least: int = 0) -> list[Answer]:
        """The answers that are complete: after waiting for that many, all that has been sent so far."""
        while len(self._complete()) < at_least:
            self._read()
        # The peer acknowledges settings behind all that it sent before: a PING would do too, but few are allowed.
        self._frame(SETTINGS, 0, 0, b"")
        before = self._acknowledged
        while self._acknowledged == before:
            self._read()
        return self._complete()

    def _greet(self, settings: Mapping[int, int]) -> None:
        self._socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self._frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *item) for item in settings.items()))
        self._frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", _WIDE))
        while not (self.settings and self._acknowledged):
            self._read()

    def _complete(self) -> list[Answer]:
        return [answer for answer in self._answers.values() if answer.ended]

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        head = struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream)
        self._socket.sendall(head + payload)

    def _read(self) -> None:
        head = self._exactly(9)
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
        payload = self._exactly(int.from_bytes(head[:3], "big"))
        answer = self._answers.get(stream, Answer())
        match kind:
            case 0:
                answer.data += payload
            case 1:
                answer.headers.update(_decode(payload))
            case 3:
                answer.reset, answer.ended = int.from_bytes(payload, "big"), True
            case 4 if not flags & ACK:
                self.settings.update(struct.iter_unpack(">HI", payload))
                self._frame(SETTINGS, ACK, 0, b"")
            case 4:
                self._acknowledged += 1
            case 6 if not flags & ACK:
                self._frame(PING, ACK, 0, payload)
        answer.ended |= kind in (DATA, HEADERS) and bool(flags & END_STREAM)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._socket.recv(size - len(data))
            if not piece:
                raise ConnectionResetError("the server hung up")
            data += piece
        return data


@contextmanager
def connected(target: str, settings: Mapping[int, int] | None = None, *, source: str = "") -> Iterator[Connection]:
    """A connection that is closed afterwards, from that address of this machine where one is named."""
    with closing(Connection(target, settings, source=source)) as connection:
        yield connection


def _literal(name: str, value: str | bytes) -> bytes:
    return b"\0" + _text(name.encode()) + _text(value if isinstance(value, bytes) else value.encode())


def _text(raw: bytes) -> bytes:
    return _integer(len(raw), 7) + raw


def _integer(number: int, bits: int) -> bytes:
    """RFC 7541, 5.1, with zeros in front of the prefix."""
    largest = (1 << bits) - 1
    if number < largest:
        return bytes([number])
    encoded, number = [largest], number - largest
    while number >= 128:
        encoded.append(number % 128 + 128)
        number //= 128
    return bytes([*encoded, number])


def _decode(block: bytes) -> Iterator[tuple[str, str]]:
    """The fields of a header block that are not coded by Huffman."""
    rest = block
    while rest:
        if rest[0] & 0x80:
            index, rest = _read_integer(rest, 7)
            yield _STATIC.get(index, (f"static-{index}", ""))
        elif rest[0] & 0xE0 == 0x20:
            _, rest = _read_integer(rest, 5)
        else:
            index, rest = _read_integer(rest, 6 if rest[0] & 0x40 else 4)
            name, rest = (_STATIC_NAMES.get(index, f"static-{index}"), rest) if index else _read_text(rest)
            value, rest = _read_text(rest)
            yield name or "", value or ""


def _read_integer(data: bytes, bits: int) -> tuple[int, bytes]:
    largest = (1 << bits) - 1
    number, place = data[0] & largest, 1
    if number < largest:
        return number, data[1:]
    shift = 0
    while True:
        number += (data[place] & 127) << shift
        shift, place = shift + 7, place + 1
        if not data[place - 1] & 128:
            return number, data[place:]


def _read_text(data: bytes) -> tuple[str | None, bytes]:
    coded = bool(data[0] & 0x80)
    size, rest = _read_integer(data, 7)
    return (None if coded else rest[:size].decode("latin-1")), rest[size:]
