"""Telling the listener of this process's commits, in the order in which they were made.

Several threads commit at the same time, and their answers may arrive in another order than their commits. But a
transaction holds the feed's number until it has ended, so when a thread is given a number, every transaction of this
process with a smaller one has ended, whether its own thread knows that yet or not. So whoever is to announce waits a
moment for those before it, and asks the server about those that do not come: it knows the fate of every transaction.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from authsvc.model import Commit
from authsvc.storage.base import Listener

PATIENCE: Final = 0.1
"""Seconds to wait for a thread that was to announce first. Its answer is on the way, or its connection is broken."""


class Fate(Enum):
    """What became of a transaction."""

    OPEN = "in progress"
    KEPT = "committed"
    UNDONE = "aborted"


Ask = Callable[[int], Fate]
"""Asks the server about a transaction, by its number there."""


@dataclass(eq=False, slots=True)
class Announcement:
    """A commit that was asked for. ``lost``: the thread that asked will never know what became of it."""

    commit: Commit
    transaction_id: int
    fate: Fate = Fate.OPEN
    lost: bool = False
    told: bool = False
    error: BaseException | None = None


class Announcer:
    """Knows every commit of this process whose outcome is not known yet, or that the listener has not heard of."""

    def __init__(self) -> None:
        self._listener: Listener | None = None
        self._changed = threading.Condition()
        self._waiting: list[Announcement] = []

    @property
    def behind(self) -> bool:
        """Whether there are commits whose answers were lost."""
        with self._changed:
            return any(waiting.lost or waiting.fate is Fate.KEPT for waiting in self._waiting)

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` of commits from the next one on."""
        with self._changed:
            self._listener = listener

    def expect(self, commit: Commit, transaction_id: int) -> Announcement:
        """To be called before the commit is asked for."""
        announcement = Announcement(commit, transaction_id)
        with self._changed:
            self._waiting.append(announcement)
        return announcement

    def undone(self, announcement: Announcement) -> None:
        """The transaction was undone: nobody need wait for it."""
        with self._changed:
            self._remove(announcement)

    def lost(self, announcement: Announcement) -> None:
        """Nobody knows yet what became of it; whoever comes next with a connection asks."""
        with self._changed:
            announcement.lost = True
            self._changed.notify_all()

    def kept(self, announcement: Announcement, ask: Ask) -> None:
        """Have the listener told of it, and of all that were committed before; raises what the listener raises.

        What ``ask`` raises passes through: then the commit stands, and is told as soon as somebody can ask.
        """
        with self._changed:
            announcement.fate = Fate.KEPT
            self._changed.notify_all()
            self._changed.wait_for(lambda: announcement.told or not self._expected_before(announcement), PATIENCE)
            self._tell(ask, last=announcement)
        if announcement.error is not None:
            raise announcement.error

    def catch_up(self, ask: Ask) -> None:
        """Tell what was left behind by threads that lost their connection."""
        with self._changed:
            self._tell(ask, last=None)

    def _expected_before(self, announcement: Announcement) -> bool:
        """Whether a thread that should announce first will still say what became of its transaction."""
        return any(
            other.fate is Fate.OPEN and not other.lost and other.commit.revision <= announcement.commit.revision
            for other in self._waiting
            if other is not announcement
        )

    def _tell(self, ask: Ask, *, last: Announcement | None) -> None:
        """Tell in order, up to ``last`` (None: up to the first whose thread is still to say)."""
        for each in sorted(self._waiting, key=lambda waiting: waiting.commit.revision):
            if last is not None and each.commit.revision > last.commit.revision:
                return
            if each.fate is Fate.OPEN and (each.lost or last is not None):
                each.fate = ask(each.transaction_id)
            if each.fate is Fate.OPEN:
                return
            if each.fate is Fate.KEPT:
                self._tell_one(each)
            self._remove(each)

    def _tell_one(self, announcement: Announcement) -> None:
        if self._listener is not None:
            try:
                self._listener(announcement.commit)
            except BaseException as fault:  # noqa: BLE001 - a mistake of ours; shown to the caller who caused it
                announcement.error = fault
        announcement.told = True

    def _remove(self, announcement: Announcement) -> None:
        if announcement in self._waiting:
            self._waiting.remove(announcement)
        self._changed.notify_all()
