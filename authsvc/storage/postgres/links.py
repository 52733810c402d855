"""Lends the pool's connections to callers, one at a time each, none that is dead already."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from psycopg_pool import PoolTimeout

from authsvc.clock import Deadline, seconds_left
from authsvc.storage.postgres.database import Database
from authsvc.storage.postgres.faults import unavailable
from authsvc.storage.postgres.link import Link

T = TypeVar("T")

SIZE: Final = 16
"""A statement takes a fraction of a millisecond, and those that wait for a flush of the disk share it: more connections
would wait for each other in the server instead of here."""

FIRST_SECONDS: Final = 5.0

PATIENCE: Final = 2.0
"""Seconds to wait while nobody has a connection: then there is no server to be had. Less than a call's usual deadline,
so that the caller hears why."""

HASTE: Final = 0.5
"""Seconds below which a caller was simply in too much of a hurry."""


class Links:
    """A pool that knows how many of its connections are out, so that closing can wait for them."""

    def __init__(self, database: Database) -> None:
        """Open the pool and wait for its first connection; raises ``PoolTimeout``."""
        self._ended = threading.Condition()
        self._callers = 0
        self._out = 0
        self._fault: Exception | None = None
        self._pool = database.pool(size=SIZE, note=self._note)
        self._pool.open(wait=True, timeout=FIRST_SECONDS)

    def use(self, work: Callable[[Link], T], until: Deadline) -> T:
        """Do something with a connection that nobody has hung up on, and give it back.

        Raises ``PoolTimeout``, ``PoolClosed``, ``Unavailable`` and what the work raises.
        """
        with self._ended:
            self._callers += 1
        try:
            link = self._borrow(until)
            try:
                return work(link)
            finally:
                self._give_back(link)
        finally:
            with self._ended:
                self._callers -= 1
                if not self._callers:
                    self._ended.notify_all()

    def close(self) -> None:
        """Refuse all who wait for a connection or come later, and wait for those who have one."""
        self._pool.close()
        with self._ended:
            self._ended.wait_for(lambda: not self._callers)

    def _borrow(self, until: Deadline) -> Link:
        while True:
            link = self._take(until)
            if link.alive():
                return link
            self._give_back(link)  # the pool makes another in its place

    def _take(self, until: Deadline) -> Link:
        while True:
            left = seconds_left(until)
            try:
                link = self._pool.getconn(timeout=max(0.0, min(left, PATIENCE)))
            except PoolTimeout as fault:
                if not self._out and left > HASTE:
                    raise unavailable(self._fault or fault, note="(no connection)") from None
                if left <= PATIENCE:
                    raise
            else:
                with self._ended:
                    self._out += 1
                return link

    def _note(self, fault: Exception | None) -> None:
        """Why the last connection could not be made; None when it could."""
        self._fault = fault

    def _give_back(self, link: Link) -> None:
        self._pool.putconn(link)
        with self._ended:
            self._out -= 1
