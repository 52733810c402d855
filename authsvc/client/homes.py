"""Where a client is at home: the process that used it first, and for one that is awaited the event loop that did.

Elsewhere it cannot be used, whatever is tried: what it waits for would never come. Owns the errors that say so, and
what is done in the child when a process forks.
"""

from __future__ import annotations

import asyncio
import os
from typing import Final, Protocol
from weakref import WeakSet


class Unusable(Exception):
    """The client cannot be used as it is; trying again does not help."""


class Closed(Unusable, ValueError):
    """It is used after its ``close``."""

    def __init__(self, what: str = "the client") -> None:
        super().__init__(f"{what} is closed")


class OtherProcess(Unusable, RuntimeError):
    """It came into this process by a fork, which takes no connection and no thread along."""


class OtherLoop(Unusable, RuntimeError):
    """It belongs to another event loop."""


class HomeProcess:
    """The process of the first use: what was only made before a fork is as good in the child."""

    def __init__(self, what: str = "the client") -> None:
        self._what = what
        self._id: int | None = None

    @property
    def is_here(self) -> bool:
        """Whether that is the one that runs this."""
        return self._id is None or self._id == os.getpid()

    def check(self) -> None:
        """Raise ``OtherProcess`` in the child of a fork."""
        here = os.getpid()
        self._id = self._id or here
        if self._id != here:
            raise OtherProcess(f"{self._what} was used before the fork: make one in the child")


class HomeLoop:
    """The event loop of the first use."""

    def __init__(self, what: str = "the client") -> None:
        self._what = what
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_over(self) -> bool:
        """Whether that loop was closed: nothing of it is under way any more, and nothing in it can be told."""
        return self._loop is not None and self._loop.is_closed()

    def check(self) -> None:
        """Raise ``OtherLoop`` in another one; for callers in a running loop."""
        loop = asyncio.get_running_loop()
        self._loop = self._loop or loop
        if self._loop is not loop:
            raise OtherLoop(f"{self._what} belongs to another event loop: make one in each")


class Forks(Protocol):
    """What the threads and the locks of its parent are missing from in the child of a fork."""

    def in_the_child(self) -> None:
        """Called there, while no other thread runs: start afresh, or know that it cannot be used.

        Must neither wait nor take a lock that it has from before: its holder may be gone.
        """
        ...


_kept: Final[WeakSet[Forks]] = WeakSet()


def tell_after_fork(thing: Forks) -> None:
    """Have it told in every child, as long as it is there; whoever only uses it pays nothing for that."""
    _kept.add(thing)


def _in_the_child() -> None:
    for thing in tuple(_kept):
        thing.in_the_child()


# What is registered stays for ever, so it is one function and not one for each client.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_the_child)
