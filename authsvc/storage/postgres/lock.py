"""The lock of a process that needs the store for itself: its view of the world follows only its own commits.

It is an advisory lock of a session, on a connection of its own. A server that restarts, or a connection that breaks,
takes the lock away; it is watched for, taken again, and meanwhile nothing is served. Where another process changed
the store in between, this one's view is out of date, and it stays refused.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Final

import psycopg
from psycopg.errors import LockNotAvailable

from authsvc.clock import deadline_after
from authsvc.model import Revision
from authsvc.storage.errors import StoreInUse
from authsvc.storage.postgres.database import Database
from authsvc.storage.postgres.faults import refused
from authsvc.storage.postgres.link import Link
from authsvc.storage.postgres.statement import Statement

LOOK_EVERY_SECONDS: Final = 0.25
ASK_EVERY_SECONDS: Final = 2.0
LOST: Final = "the lock on the store was lost"
_PATIENCE: Final = 2.0

# Of this kind, and of this store: its own table has a number that no other in the database has. Waited for a moment,
# since the server may not have noticed yet that whoever had it has ended.
_WAIT_A_MOMENT = Statement("SELECT set_config('lock_timeout', '1s', true)")
_TAKE = Statement("SELECT pg_advisory_lock((1635087464::bigint << 32) | 'feed_head'::regclass::oid::bigint)::text")
_LET_GO = Statement("SELECT pg_advisory_unlock_all()::text")
_REVISION = Statement("SELECT revision FROM feed_head")
_STILL_THERE = Statement("SELECT 1::bigint")


class ExclusiveLock:
    """Held from its making to ``close()``, but for the time it takes to get it back.

    ``known`` says up to which revision this process knows the store, after it has used the connection to find out about
    commits whose answers were lost. Raises ``StoreInUse`` when another holds it, in this process or in another, and
    ``psycopg.Error``.
    """

    def __init__(self, database: Database, known: Callable[[Link], Revision]) -> None:
        self._database = database
        self._known = known
        self._refusal = ""
        self._closing = threading.Event()
        self._link = self._take()
        if self._link is None:
            raise StoreInUse(
                "the database is in use: another process serves it or works on it; "
                "stop that process, or do this through the running server"
            )
        self._thread = threading.Thread(target=self._watch, name="postgres-lock", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise ``Unavailable`` while the lock is not held, from the moment the server lets go of it."""
        link = self._link
        if self._refusal or link is None or link.hung_up():
            raise refused(self._refusal or LOST)

    def close(self) -> None:
        """Let others have it. Closing twice is harmless."""
        self._closing.set()
        self._thread.join()
        link, self._link = self._link, None
        if link is not None:
            with contextlib.suppress(psycopg.Error):
                link.exchange([_LET_GO()], deadline_after(_PATIENCE))
            link.close()

    def _watch(self) -> None:
        looks = 0
        while not self._closing.wait(LOOK_EVERY_SECONDS):
            looks += 1
            ask = looks % (ASK_EVERY_SECONDS // LOOK_EVERY_SECONDS) == 0
            if self._link is not None and not _answers(self._link, ask=ask):
                self._refusal = LOST
                self._link = None
            if self._link is None:
                with contextlib.suppress(Exception):  # whatever it is, the next look tries again
                    self._take_again()

    def _take_again(self) -> None:
        link = self._take()
        if link is None:
            self._refusal = "another process holds the store"
        elif self._is_up_to_date(link):
            self._link, self._refusal = link, ""
        else:  # or a commit of ours is still under way: the next look tells
            self._refusal = "another process changed the store: start this one again"

    def _is_up_to_date(self, link: Link) -> bool:
        """Whether this process knows all there is; where not, the connection is closed, and the lock with it."""
        known = found = None
        try:
            known = self._known(link)
            (((found,),),) = link.exchange([_REVISION()], deadline_after(_PATIENCE))
        finally:
            if found is None or found != known:
                link.close()
        return not link.closed

    def _take(self) -> Link | None:
        link = self._database.connect()
        try:
            link.exchange([_WAIT_A_MOMENT(), _TAKE()], deadline_after(_PATIENCE))
        except LockNotAvailable:
            link.close()
            return None
        except BaseException:
            link.close()
            raise
        return link


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
