"""A copy becomes the store, or the database that lies here does: in a new epoch, with everything revoked.

The file beside the database moves on first. From then until all is done nothing here is taken for the store, so that an
interruption leaves one that does not start, and the same command goes on.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import apsw

from authsvc.clock import Clock, Randomness, to_microseconds
from authsvc.model import ApiKey
from authsvc.storage.errors import NotAStore, NotTheStore
from authsvc.storage.migrate import shipped
from authsvc.storage.rows.feed import AUDIT_COLUMNS, audit_row
from authsvc.storage.rows.restoring import (
    Check,
    Known,
    Progress,
    Restored,
    next_epoch,
    next_revision,
    restored_event,
)
from authsvc.storage.rows.retention import FOR_EVER
from authsvc.storage.rows.revocations import RAISE_FLOOR
from authsvc.storage.sqlite.connection import Database, fetch
from authsvc.storage.sqlite.copying import opened
from authsvc.storage.sqlite.faults import ENGINE_FAULTS
from authsvc.storage.sqlite.files import open_private, sync_directory, sync_file
from authsvc.storage.sqlite.schema import bring_up, writing
from authsvc.storage.sqlite.seat import SEATED, Seat, read_seat, seat_of, write_seat
from authsvc.storage.sqlite.transaction import Transaction
from authsvc.storage.sqlite.trust import read_trust_state
from authsvc.storage.sqlite.watermarks import raise_watermark

_LIVE = "SELECT count(*) FROM sessions WHERE revoked_at IS NULL AND min(idle_expires_at, absolute_expires_at) > ?"


class Restoration:
    """One restore of the database, which nobody else has open. ``check`` judges what is in the copy."""

    def __init__(
        self, database: Database, *, check: Check, clock: Clock, randomness: Randomness, progress: Progress
    ) -> None:
        self._database = database
        self._path = database.path
        self._check = check
        self._clock = clock
        self._randomness = randomness
        self._progress = progress

    def of_what_is_here(self) -> Restored:
        """The database in its place becomes the store; raises as ``of``."""
        known = self._known()
        self._progress("checking")
        with opened(self._database, self._path) as connection:
            before = self._prepare(connection)
            epoch = self._move_seat(before, known)
            self._progress("revoking")
            restored = self._renew(connection, known.and_also(before.known), epoch)
        self._progress("done")
        return restored

    def of(self, copy: Path) -> Restored:
        """The copy becomes the store; the file stays as it is.

        Raises ``StoreRefused``, what ``check`` raises, ``OSError`` and any of ``ENGINE_FAULTS``.
        """
        if self._path.exists() and copy.samefile(self._path):
            raise NotAStore(f"{copy} is the store itself: leave FILE out to take what is there")
        known, aside = self._known(), self._path.with_name(self._path.name + ".restoring")
        try:
            return self._replace(copy, aside, known)
        finally:
            _remove(aside)

    def _replace(self, copy: Path, aside: Path, known: Known) -> Restored:
        self._progress("copying")
        _remove(aside)
        for suffix in ("", "-wal"):
            _copy_file(copy.with_name(copy.name + suffix), aside.with_name(aside.name + suffix), optional=bool(suffix))
        self._progress("checking")
        with opened(Database(aside, self._database.busy_timeout), copy) as connection:
            before = self._prepare(connection)
            self._progress("revoking")
            epoch = next_epoch(known.and_also(before.known))
            restored = self._renew(connection, known.and_also(before.known), epoch)
            fetch(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
        sync_file(aside)
        self._progress("taking the place")
        self._move_seat(before, known)
        self._progress("replacing")
        self._drop_log()
        aside.replace(self._path)
        sync_directory(self._path.parent)
        self._progress("done")
        return restored

    def _prepare(self, connection: apsw.Connection) -> Seat:
        """Bring the copy to this program's schema and judge it; returns what it was before."""
        bring_up(connection, shipped("sqlite"), clock=self._clock, randomness=self._randomness)
        now = self._clock()
        self._check(read_trust_state(connection, now, now))
        return seat_of(connection)

    def _known(self) -> Known:
        """What the place and the database in it say, as far as they can be read."""
        known = Known()
        with contextlib.suppress(NotTheStore):
            seat = read_seat(self._path)
            known = seat.known if seat else known
        with (
            contextlib.suppress(*ENGINE_FAULTS, apsw.SQLError),
            contextlib.closing(self._database.connect()) as connection,
        ):
            known = known.and_also(seat_of(connection).known)
        return known

    def _move_seat(self, before: Seat, known: Known) -> int:
        known = known.and_also(before.known)
        epoch = next_epoch(known)
        write_seat(self._path, Seat(before.store_id, epoch, known.revision))
        return epoch

    def _renew(self, connection: apsw.Connection, known: Known, epoch: int) -> Restored:
        """One transaction: epoch, revision, and a watermark for each app that is never forgotten."""
        now = self._clock()
        with writing(connection):
            transaction = Transaction(connection, self._clock)
            ((sessions,),) = fetch(connection, _LIVE, (to_microseconds(now),))
            first = next_revision(known, to_microseconds(now))
            fetch(connection, "UPDATE meta SET epoch = ?", (epoch,))
            fetch(connection, "UPDATE feed_head SET revision = ?", (first,))
            fetch(connection, "DELETE FROM feed")
            statement = f"INSERT INTO audit ({AUDIT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
            fetch(connection, statement, audit_row(first, restored_event(now, ApiKey(""))))
            apps = [ApiKey(api_key) for (api_key,) in fetch(connection, "SELECT api_key FROM apps ORDER BY api_key")]
            for api_key in apps:
                raise_watermark(transaction, api_key, None, restored_event(now, api_key), None)
            fetch(connection, "UPDATE watermarks SET due_at = ? WHERE user_id = ''", (FOR_EVER,))
            fetch(connection, RAISE_FLOOR)
            fetch(connection, f"PRAGMA user_version = {SEATED}")
            ((revision, keys, accounts),) = fetch(
                connection,
                "SELECT revision, (SELECT count(*) FROM keys), (SELECT count(*) FROM accounts) FROM feed_head",
            )
        return Restored(epoch, revision, len(apps), sessions, keys, accounts)

    def _drop_log(self) -> None:
        """Leave no log of the database that is replaced: it would be taken for the new one's."""
        with contextlib.suppress(*ENGINE_FAULTS):
            self._database.connect().close()
        for suffix in ("-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)


def _copy_file(source: Path, target: Path, *, optional: bool) -> None:
    if optional and not source.exists():
        return
    with source.open("rb") as reader, os.fdopen(open_private(target, os.O_WRONLY | os.O_EXCL), "wb") as writer:
        shutil.copyfileobj(reader, writer)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
