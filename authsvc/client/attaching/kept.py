"""What a caller's stream has given, and which attempt of its call may have it."""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import Any, Protocol

LIMIT = 64
"""Messages that are kept; a peer that refuses a token does so before it has read many."""


class Sent(Protocol):
    """What a caller sends by one call, as far as the interceptors have to know."""

    def hand_on(self) -> bool:
        """The attempt under way has ended: it gets nothing more. Whether the next one can have all from the first."""
        ...

    def settle(self) -> None:
        """The peer has answered: the call is not made again, and no more messages are kept."""
        ...

    def close(self) -> None:
        """The last attempt has ended."""
        ...


class OneMessage:
    """What is sent by a call of one message: every attempt has it."""

    def hand_on(self) -> bool:
        """Always."""
        return True

    def settle(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nobody waits for anything."""


class Step(Enum):
    """What an attempt does for its next message, where that is not there."""

    READ = auto()
    """Ask the caller's stream, and tell what it gave."""
    WAIT = auto()
    """Another attempt is still asking."""
    OVER = auto()
    """There is none: the stream has ended, or the attempt."""


class Kept:
    """What a stream has given, and which attempt may have it: the rules, for threads and for tasks.

    One at a time asks the stream, and may wait there longer than its attempt lives: gRPC does not call it back. What it
    brings then is the next attempt's, which does not wait for it with what was taken before.
    """

    def __init__(self) -> None:
        self.attempt = 0
        self._complete = True
        self._keeping = True
        self._given: list[Any] = []  # to this attempt, in case there is another
        self._due: deque[Any] = deque()  # to this attempt, before the stream is asked
        self._reading = False
        self._end: BaseException | None = None

    def step(self, attempt: int) -> Any:
        """The next message of that attempt, or what it does for it; raises what the stream has raised."""
        if attempt != self.attempt:
            return Step.OVER
        if self._due:
            return self._due.popleft()
        if self._reading:
            return Step.WAIT
        if self._end is None:
            self._reading = True
            return Step.READ
        if isinstance(self._end, StopIteration | StopAsyncIteration):
            return Step.OVER
        raise self._end

    def brought(self, attempt: int, message: Any) -> Any:
        """Take what that attempt has read: it is its own to send, or there is nothing more for it."""
        self._reading = False
        if attempt != self.attempt:
            self._due.append(message)
            return Step.OVER
        if self._keeping:
            self._keep(message)
        return message

    def ended(self, end: BaseException) -> None:
        """Nothing more comes; ``end`` is what the stream has raised."""
        self._reading = False
        self._end = end

    def hand_on(self) -> bool:
        """See ``Sent``."""
        if self._complete:
            self.attempt += 1
            self._due.extend(self._given)
            self.settle()
        return self._complete

    def settle(self) -> None:
        """See ``Sent``."""
        self._keeping = False
        self._given.clear()

    def _keep(self, message: Any) -> None:
        if len(self._given) < LIMIT:
            self._given.append(message)
        else:
            self._complete = False
            self.settle()
