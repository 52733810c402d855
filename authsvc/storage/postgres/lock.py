"""The lock by which those who use a store and those who need it for themselves keep clear of each other.

It is an advisory lock of a session, on a connection of its own: shared by any number of servers, taken alone by who
restores the store. A server that restarts, or a connection that breaks, takes the lock away; that is watched for, and
nothing is served until it is shared again. Where the store was restored in between, this process stays refused: its
epoch is the one before.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from typing import Final

import psycopg
from psycopg.errors import LockNotAvailable

from authsvc.clock import Deadline, deadline_after, seconds_left
from authsvc.storage.errors import StoreInUse
from authsvc.storage.postgres.database import Database
from authsvc.storage.postgres.faults import refused, unavailable
from authsvc.storage.postgres.link import Link
from authsvc.storage.postgres.schema import read_epoch
from authsvc.storage.postgres.statement import Statement

LOOK_EVERY_SECONDS: Final = 0.25
ASK_EVERY_SECONDS: Final = 2.0
MOMENT: Final = 2.0
LOST: Final = "the lock on the store was lost"
CLOSED: Final = "the store is closed"
RESTORED: Final = "the store was restored: start this one again"
_PATIENCE: Final = 2.0

# Of this kind, and of this store: its own table has a number that no other in the database has. Waited for a moment,
# since the server may not have noticed yet that whoever had it has ended.
_KEY: Final = "(1635087464::bigint << 32) | 'feed_head'::regclass::oid::bigint"
_WAIT_A_MOMENT = Statement("SELECT set_config('lock_timeout', '1s', true)")
_TAKE = Statement(f"SELECT pg_advisory_lock({_KEY})::text")
_SHARE = Statement(f"SELECT pg_advisory_lock_shared({_KEY})::text")
_LET_GO = Statement("SELECT pg_advisory_unlock_all()::text")
_STILL_THERE = Statement("SELECT 1::bigint")


class StoreLock:
    """Held from its making to ``close()``; one that is shared is taken again when it was lost, one held alone is not.

    ``epoch`` is the store's, as it was found under the lock. Raises ``StoreInUse`` when somebody holds what does not go
    with it, in this process or in another, ``NotAStore`` and ``psycopg.Error``.
    """

    def __init__(self, database: Database, *, exclusive: bool) -> None:
        self._database = database
        self._exclusive = exclusive
        self._refusal = ""
        self._closing = False
        self._look = threading.Event()
        self._looked = threading.Condition()
        self._link = self._take()
        if self._link is None:
            raise StoreInUse(_in_use(exclusive=exclusive))
        try:
            self.epoch: Final = read_epoch(self._link)
        except BaseException:
            self._link.close()
            raise
        self._thread = threading.Thread(target=self._watch, name="postgres-lock", daemon=True)
        self._thread.start()

    def check(self, until: Deadline) -> None:
        """Raise ``Unavailable`` while the lock is not held, as far as is known here without asking.

        The server lets go of a lock a moment before it hangs up, and where the network is cut nobody hears of that:
        then it takes until the server is asked for the next time and has not answered.

        Where the lock has just been lost, wait a moment for it to be shared again, not beyond ``until``.
        """
        if self._held():
            return
        if self._closing:
            raise refused(CLOSED)  # by us: nobody will share it again
        if not self._refusal:
            self._look.set()
        until = min(until, deadline_after(MOMENT))
        with self._looked:
            while not self._held():
                if self._refusal or not self._looked.wait(max(0.0, seconds_left(until))):
                    raise refused(self._refusal or LOST)

    def close(self) -> None:
        """Let others have it. Closing twice is harmless."""
        self._closing = True
        self._look.set()
        self._thread.join()
        link, self._link = self._link, None
        if link is not None:
            with contextlib.suppress(psycopg.Error):
                link.exchange([_LET_GO()], deadline_after(_PATIENCE))
            link.close()

    def _held(self) -> bool:
        link = self._link
        return link is not None and not link.hung_up()

    def _watch(self) -> None:
        for looks in itertools.count(1):
            self._look.wait(LOOK_EVERY_SECONDS)
            self._look.clear()
            if self._closing:
                return
            ask = looks % (ASK_EVERY_SECONDS // LOOK_EVERY_SECONDS) == 0
            if self._link is None or not _answers(self._link, ask=ask):
                self._link = None
                refusal = self._take_again()
                with self._looked:
                    self._refusal = refusal
                    self._looked.notify_all()

    def _take_again(self) -> str:
        """Share it again where that may be; returns why not, or nothing."""
        if self._exclusive:
            return LOST
        try:
            link = self._take()
            if link is None:
                return _in_use(exclusive=False)
            if not self._is_of_this_epoch(link):
                return RESTORED
        except psycopg.Error as fault:
            return unavailable(fault, note="(no connection)").detail
        except Exception:  # noqa: BLE001 - whatever it is, the next look tries again
            return LOST
        self._link = link
        return ""

    def _is_of_this_epoch(self, link: Link) -> bool:
        """Whether the store is still the one this process opened; where not, the connection is closed."""
        found = None
        try:
            found = read_epoch(link)
        finally:
            if found != self.epoch:
                link.close()
        return found == self.epoch

    def _take(self) -> Link | None:
        link = self._database.connect()
        try:
            link.exchange([_WAIT_A_MOMENT(), _TAKE() if self._exclusive else _SHARE()], deadline_after(_PATIENCE))
        except LockNotAvailable:
            link.close()
            return None
        except BaseException:
            link.close()
            raise
        return link


def _in_use(*, exclusive: bool) -> str:
    if exclusive:
        return "the database is in use: stop the servers and the commands that have it open, then do this again"
    return "somebody has the database for himself, to restore it: wait until that has ended"


def _answers(link: Link, *, ask: bool) -> bool:
    """Whether the connection lives: by what the operating system knows, and now and then by the server's own word."""
    if not link.alive():
        return False
    if ask:
        try:
            link.exchange([_STILL_THERE()], deadline_after(_PATIENCE))
        except psycopg.Error:
            link.close()
            return False
    return True
