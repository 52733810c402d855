"""Hints that another process has committed a change: the server tells of it on a connection of its own.

What is told may get lost: the connection breaks, or something between here and the server (a pooler) does not pass it
on. So nobody may rely on it, and whoever waits for a hint looks at the feed after a while in any case. Telling is part
of the transaction (PostgreSQL documentation, "NOTIFY"): nothing is told of a change that was undone.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from contextlib import closing
from typing import Final

from authsvc.clock import deadline_after
from authsvc.model import Revision
from authsvc.storage.postgres.database import Database
from authsvc.storage.postgres.link import Link
from authsvc.storage.postgres.statement import Request, Statement

AGAIN_SECONDS: Final = 0.25
"""How long to wait before the connection is opened anew."""

_PATIENCE: Final = 5.0

# Of this store: one database may hold several, and its own table has a number that no other has.
_CHANNEL: Final = "'authsvc_feed_' || 'feed_head'::regclass::oid::text"
_TELL = Statement(f"SELECT pg_notify({_CHANNEL}, :revision::bigint::text || ' ' || :origin::text)::text")
_WHERE = Statement(f"SELECT {_CHANNEL}")
_CALL_IT = Statement(
    "SELECT set_config('application_name', current_setting('application_name') || ' (listening)', false)"
)


def tell(revision: Revision, origin: str) -> Request:
    """Have everybody who listens told of a revision, and whose it is, when the transaction is committed."""
    return _TELL(revision=revision, origin=origin)


class Hints:
    """Listens in a thread of its own, from the first time somebody waits. ``origin`` marks what is not worth a hint:
    the commits of this store itself.
    """

    def __init__(self, database: Database, origin: str) -> None:
        self._database = database
        self._origin = origin
        self._news = threading.Event()
        self._starting = threading.Lock()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._awake, self._waker = socket.socketpair()

    def wait(self, seconds: float) -> None:
        """Return when there may be something new, at the latest after that time, and at once when this is closed.

        Something may be new, too, when the connection was lost, or is there again: much may have been missed.
        """
        self._start()
        self._news.wait(seconds)
        if not self._closed:
            self._news.clear()

    def close(self) -> None:
        """Listen no more. Closing twice is harmless."""
        with self._starting:
            if self._closed:
                return
            self._closed = True
        self._news.set()
        self._waker.close()
        if self._thread is not None:
            self._thread.join()
        self._awake.close()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._listen, name="postgres-hints", daemon=True)
                self._thread.start()

    def _listen(self) -> None:
        while not self._closed:
            with contextlib.suppress(Exception):  # whatever it is, the next attempt may succeed
                self._hear_all()
            self._news.set()
            _ready(self._awake, seconds=AGAIN_SECONDS)

    def _hear_all(self) -> None:
        """Until the connection breaks (``psycopg.OperationalError``) or this is closed."""
        with closing(self._database.connect()) as link:
            _subscribe(link)
            self._news.set()
            while not self._closed:
                _ready(link, self._awake)
                if any(said.partition(" ")[2] != self._origin for said in link.heard()):
                    self._news.set()


def _subscribe(link: Link) -> None:
    _, [(channel,)] = link.exchange([_CALL_IT(), _WHERE()], deadline_after(_PATIENCE))
    link.exchange([Statement(f"LISTEN {channel}")()], deadline_after(_PATIENCE))


def _ready(*ends: Link | socket.socket, seconds: float | None = None) -> None:
    """Return when one of them has something to say, or has ended."""
    looking = select.poll()
    for end in ends:
        looking.register(end.fileno(), select.POLLIN)
    looking.poll(None if seconds is None else seconds * 1000)
