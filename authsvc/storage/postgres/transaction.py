"""One transaction: its statements, its revision, its audit and what it will be known by.

What need not be answered by itself travels with what does: the beginning with the first statement, the feed and the
audit with the commit. A transaction of a single statement has a way of its own: one message, one answer.
"""

# ruff: noqa: S608 - statements are put together from constants; values are always bound

from __future__ import annotations

from typing import Final

import psycopg

from authsvc.clock import Deadline, deadline_after, seconds_left
from authsvc.model import AuditEvent, Change, Commit, Revision
from authsvc.storage.postgres.database import DEFAULT_SECONDS
from authsvc.storage.postgres.faults import InDoubt
from authsvc.storage.postgres.hints import tell
from authsvc.storage.postgres.link import BEGIN, COMMIT, ROLLBACK, Link
from authsvc.storage.postgres.statement import Request, Row, Statement, by_column, places
from authsvc.storage.rows.feed import AUDIT_COLUMNS, FEED_COLUMNS, audit_row, feed_rows

MARGIN: Final = 1.0
"""Seconds to wait for the server's own word that a limit has passed, before the connection is given up."""

GRACE: Final = 1.0
"""Seconds to finish what was begun in time."""

SLACK: Final = 0.05
"""Seconds by which the session's own limits may end a call late: what a call that named no deadline took on its way."""

_LIMITS = Statement("SELECT set_config('statement_timeout', :limit, true), set_config('lock_timeout', :limit, true)")

_NEXT_REVISION = Statement(
    "UPDATE feed_head SET revision = revision + 1 RETURNING revision, pg_current_xact_id()::text::bigint"
)
_FEED = Statement(f"INSERT INTO feed ({FEED_COLUMNS}) VALUES ({places(FEED_COLUMNS)})")
_AUDIT = Statement(f"INSERT INTO audit ({AUDIT_COLUMNS}) VALUES ({places(AUDIT_COLUMNS)})")

_FOR_ITS_VALUES = Statement(
    "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_seqscan', 'on', true)"
)


def planned(request: Request) -> list[Request]:
    """What a transaction says before that statement, so that it is planned as it asks to be."""
    return [_FOR_ITS_VALUES()] if request.statement.planned else []


def limits(until: Deadline) -> Request:
    """Bound every statement of a transaction, and every wait for a lock, by the time that is left."""
    return _LIMITS(limit=str(max(1, int(seconds_left(until) * 1000))))


def limited(request: Request, until: Deadline) -> list[Request]:
    """A transaction of that one statement, within the time that is left.

    A call that named no deadline has the time that the session's own limits are for, and nothing is set for it.
    """
    usual = DEFAULT_SECONDS - SLACK < seconds_left(until) <= DEFAULT_SECONDS
    return [*([] if usual else [limits(until)]), *planned(request), request]


def commit(link: Link, requests: list[Request], until: Deadline) -> list[list[Row]]:
    """An exchange that ends with a commit; returns the rows of each request once that is durable.

    Raises ``InDoubt`` where that cannot be known, and any ``psycopg.Error`` where nothing was committed.
    """
    try:
        rows = link.exchange(requests, until + MARGIN)
    except psycopg.Error as fault:
        if link.closed:
            raise InDoubt(fault) from None
        raise
    if link.warned:
        link.close()
        raise InDoubt(psycopg.OperationalError("a standby did not confirm the commit"))
    return rows


class Unchanged(Exception):
    """A unit's way to end when a rival was faster: nothing is left of it, and ``result`` is what it returns."""

    def __init__(self, result: object) -> None:
        super().__init__("nothing was changed")
        self.result = result


class Transaction:
    """What a unit of work is given; of no use once the unit has ended.

    ``present``: what stands for the present in the statements, as microseconds; None is the server's clock.
    ``origin`` names the store to those who are told of its commits.
    """

    __slots__ = ("_begun", "_ended", "_origin", "_queue", "_until", "commit", "link", "present", "transaction_id")

    def __init__(self, link: Link, until: Deadline, present: int | None, origin: str = "") -> None:
        self.link = link
        self._origin = origin
        self.present = present
        self.commit: Commit | None = None
        self.transaction_id = 0
        self._until = until
        self._queue = [BEGIN(), limits(until)]
        self._begun = False
        self._ended = False

    def fetch(self, request: Request) -> list[Row]:
        """Run a statement now, after those that were put off."""
        requests, self._queue = [*self._queue, *planned(request), request], []
        self._begun = True
        return self.link.exchange(requests, self._until + MARGIN)[-1]

    def fetch_one(self, request: Request) -> Row | None:
        """The first row, or None."""
        rows = self.fetch(request)
        return rows[0] if rows else None

    def later(self, request: Request) -> None:
        """Run a statement whose answer nobody needs together with the next one, or with the commit."""
        self._queue += [*planned(request), request]

    def go_on(self) -> None:
        """Say that the work was begun in time and is to be finished, though its deadline may pass meanwhile."""
        self._until = Deadline(max(self._until, deadline_after(GRACE)))
        self.later(limits(self._until))

    def next_revision(self) -> Revision:
        """Take the store's next revision. Call it after all checks: only rows that carry the number come after it."""
        ((revision, self.transaction_id),) = self.fetch(_NEXT_REVISION())
        return Revision(revision)

    def publish(self, revision: Revision, changes: tuple[Change, ...], audit: AuditEvent | None) -> None:
        """Write the feed and the audit rows of this revision, and have everybody told once it is durable."""
        for row in feed_rows(revision, changes):
            self.later(_FEED.of(by_column(FEED_COLUMNS, row)))
        if audit is not None:
            self.later(_AUDIT.of(by_column(AUDIT_COLUMNS, audit_row(revision, audit))))
        self.later(tell(revision, self._origin))
        self.commit = Commit(revision, changes)

    def finish(self) -> None:
        """Commit; raises ``InDoubt``."""
        self._begun = True
        commit(self.link, [*self._queue, COMMIT()], max(self._until, deadline_after(0)))
        self._ended = True

    def undo(self) -> None:
        """Leave nothing of it; a connection on which that fails is given up, and the server undoes it."""
        if self._ended or not self._begun or self.link.closed:
            return
        try:
            self.link.exchange([ROLLBACK()], deadline_after(MARGIN))
        except psycopg.Error:
            self.link.close()
