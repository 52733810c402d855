"""Runs units of work in transactions: lends a connection, commits, repeats what a rival undid, tells of what was kept.

A unit that fails is undone and leaves nothing. Nobody is told of anything before the commit that holds it is durable;
a commit whose outcome is unknown is never acknowledged, but the listener hears of it once it is known to be kept.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar, cast

import psycopg

from authsvc.clock import Deadline, deadline_after, seconds_left
from authsvc.errors import Unavailable
from authsvc.storage.batches import StoreObserver
from authsvc.storage.postgres.announcing import Announcement, Announcer, Fate
from authsvc.storage.postgres.database import DEFAULT_SECONDS
from authsvc.storage.postgres.faults import TRANSIENT, InDoubt, meaning, too_late, unavailable
from authsvc.storage.postgres.link import COMMIT, Link
from authsvc.storage.postgres.links import Links
from authsvc.storage.postgres.present import Present, microseconds
from authsvc.storage.postgres.statement import Request, Row, Statement
from authsvc.storage.postgres.transaction import MARGIN, Transaction, Unchanged, commit, limited, limits, planned

T = TypeVar("T")

ATTEMPTS: Final = 10
"""How often a unit is begun that rivals undo; each waits longer than the one before, at random, and up to the limit."""

_FIRST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.25

WHOLE_STATE_SECONDS: Final = 60.0
"""Reading everything a worker decides from may take longer than a call: a million rows come in a few seconds."""

_BEGIN_SNAPSHOT = Statement("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
_FATE = Statement("SELECT pg_xact_status(:transaction_id::bigint::text::xid8)")


class Transactions:
    """Safe to use from many threads at once.

    ``guard`` raises where nothing may be done now, and decides so by the deadline it is given. ``origin`` names the
    store to those who are told of its commits. ``observer`` hears of each transaction that changes something as of a
    batch by itself, and of what is begun again.
    """

    def __init__(
        self,
        links: Links,
        announcer: Announcer,
        present: Present,
        guard: Callable[[Deadline], None],
        origin: str,
        observer: StoreObserver,
    ) -> None:
        self._links = links
        self._origin = origin
        self._announcer = announcer
        self._present = present
        self._guard = guard
        self._observer = observer

    def run(self, work: Callable[[Transaction], T], *, deadline: Deadline | None = None) -> T:
        """Do the work in a transaction and return what it returned, once that is durable.

        Raises what the work raised, ``Unavailable`` and ``DeadlinePassed``: then nothing was changed, but for a commit
        whose answer was lost. The work is done again when a rival's commit made the server undo it.
        """
        return self._repeat(lambda link, until: self._perform(link, work, until), deadline)

    def change(self, request: Request, *, changes: int = 1, deadline: Deadline | None = None) -> list[Row]:
        """Run one statement, which makes so many changes, as ``run`` does; in one message and one answer."""
        return self._repeat(lambda link, until: self._perform_one(link, request, changes, until), deadline)

    def read(self, request: Request, *, deadline: Deadline | None = None) -> list[Row]:
        """Run one reading statement."""
        until = _until(deadline, DEFAULT_SECONDS)
        requests = limited(request, until)
        return self._with_link(lambda link: link.exchange(requests, until + MARGIN)[-1], until, deadline)

    def read_at_one_instant(
        self,
        work: Callable[[Callable[[Request], list[Row]]], T],
        *,
        seconds: float = DEFAULT_SECONDS,
        deadline: Deadline | None = None,
    ) -> T:
        """Run several reading statements that all see the same commit."""
        until = _until(deadline, seconds)
        return self._with_link(lambda link: _at_one_instant(link, work, until), until, deadline)

    def catch_up(self, *, deadline: Deadline | None = None) -> None:
        """Tell the listener of commits whose answers were lost, where their fate can be known by now."""
        if self._announcer.behind:
            self._with_link(
                lambda link: self._announcer.catch_up(lambda transaction_id: fate_of(link, transaction_id)),
                _until(deadline, DEFAULT_SECONDS),
                deadline,
            )

    def _repeat(self, work: Callable[[Link, Deadline], T], deadline: Deadline | None) -> T:
        try:
            return self._repeat_undone(work, _until(deadline, DEFAULT_SECONDS), deadline)
        except Unavailable:  # and nothing else: a caller's hurry, or what a unit refuses, is no failure of the store's
            self._observer.failed()
            raise

    def _repeat_undone(self, work: Callable[[Link, Deadline], T], until: Deadline, deadline: Deadline | None) -> T:
        for attempt in itertools.count(1):
            try:
                return self._with_link(lambda link: work(link, until), until, deadline)
            except TRANSIENT as fault:
                pause = _pause_after(attempt)
                if attempt == ATTEMPTS or seconds_left(until) <= pause:
                    raise unavailable(fault) from None
                self._observer.undone(attempt, fault.sqlstate or "")
                threading.Event().wait(pause)
        raise AssertionError("the last attempt raises or returns")

    def _with_link(self, work: Callable[[Link], T], until: Deadline, deadline: Deadline | None) -> T:
        """Do something with a connection; faults of the engine come as refusals, but for those to be repeated."""
        self._guard(until)
        try:
            return self._links.use(work, until)
        except InDoubt as doubt:
            raise unavailable(doubt.fault, note="(outcome unknown)") from None
        except TRANSIENT:
            raise
        except psycopg.Error as fault:
            meant = meaning(fault, deadline)
            if meant is None:
                raise
            raise meant from None

    def _perform_one(self, link: Link, request: Request, changes: int, until: Deadline) -> list[Row]:
        started = time.perf_counter()
        rows = commit(link, limited(request, until), until)[-1]
        self._committed(changes, started)
        return rows

    def _perform(self, link: Link, work: Callable[[Transaction], T], until: Deadline) -> T:
        transaction = Transaction(link, until, microseconds(self._present), self._origin)
        announcement: Announcement | None = None
        try:
            result = work(transaction)
            if transaction.commit is not None:
                announcement = self._announcer.expect(transaction.commit, transaction.transaction_id)
            started = time.perf_counter()
            transaction.finish()
            self._committed(1, started)
        except Unchanged as end:
            transaction.undo()
            return cast(T, end.result)
        except InDoubt:
            if announcement is not None:
                self._announcer.lost(announcement)
            raise
        except BaseException:
            transaction.undo()
            if announcement is not None:
                self._announcer.undone(announcement)
            raise
        if announcement is not None:
            self._announcer.kept(announcement, lambda transaction_id: fate_of(link, transaction_id))
        return result

    def _committed(self, changes: int, started: float) -> None:
        with contextlib.suppress(Exception):  # it is durable: nothing that comes after may look as if it was not
            self._observer.committed(changes, time.perf_counter() - started)


def _at_one_instant(link: Link, work: Callable[[Callable[[Request], list[Row]]], T], until: Deadline) -> T:
    def fetch(request: Request) -> list[Row]:
        return link.exchange([*planned(request), request], until + MARGIN)[-1]

    link.exchange([_BEGIN_SNAPSHOT(), limits(until)], until + MARGIN)
    try:
        result = work(fetch)
    except BaseException:
        link.close()  # it only read: giving it up is the shortest way to an end
        raise
    fetch(COMMIT())
    return result


def fate_of(link: Link, transaction_id: int) -> Fate:
    """What the server says became of a transaction; one it does not know of it has not kept."""
    try:
        (((said,),),) = link.exchange([_FATE(transaction_id=transaction_id)], deadline_after(DEFAULT_SECONDS))
    except psycopg.errors.InvalidParameterValue:  # its number is yet to come: this server never saw it
        return Fate.UNDONE
    return Fate.UNDONE if said is None else Fate(said)


def _until(deadline: Deadline | None, seconds: float) -> Deadline:
    if deadline is None:
        return deadline_after(seconds)
    if seconds_left(deadline) <= 0:
        raise too_late()
    return deadline


def _pause_after(attempt: int) -> float:
    """How long to wait before the next one, at random: rivals must not meet again."""
    return random.uniform(0, min(_FIRST_PAUSE * 2 ** (attempt - 1), _LONGEST_PAUSE))  # noqa: S311 - no secret
