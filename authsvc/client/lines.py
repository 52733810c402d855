"""The lines to the service: one is used, and another one takes over when its certificate was renewed.

The line that is given up stays open until its last call has ended. Knows no kind of channel: whoever makes calls closes
the channels that nobody uses any more in their own way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, Generic, TypeVar

from authsvc.client.homes import Closed, HomeProcess

Channel = TypeVar("Channel")


class Line(Generic[Channel]):
    """A channel, the stubs on it, and how many calls it carries."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.calls = 0
        self._stubs: dict[object, Any] = {}

    def method(self, stub: Callable[[Any], Any], name: str) -> Any:
        """What makes calls of that method; untyped, as a stub's methods are found by name."""
        if stub not in self._stubs:
            self._stubs[stub] = stub(self.channel)
        return getattr(self._stubs[stub], name)


class Lease(Generic[Channel]):
    """The right to make one call on a line, which stays open for it."""

    def __init__(self, lines: Lines[Channel], line: Line[Channel]) -> None:
        self._lines = lines
        self.line: Line[Channel] | None = line

    def method(self, stub: Callable[[Any], Any], name: str) -> Any:
        """What makes the call."""
        assert self.line is not None
        return self.line.method(stub, name)

    def end(self) -> None:
        """The call has ended; said twice is said once."""
        self._lines.give_back(self)


class Lines(Generic[Channel]):
    """Safe to use from any thread. ``open_channel`` opens a new one; ``renewed`` says that it is time for one."""

    def __init__(self, open_channel: Callable[[], Channel], renewed: Callable[[], bool]) -> None:
        self._open_channel = open_channel
        self._renewed = renewed
        self._lock = Lock()
        self._line: Line[Channel] | None = None
        self._retired: list[Line[Channel]] = []
        self._closed = False
        self._home = HomeProcess()

    def check(self) -> None:
        """Raise ``Closed`` after ``close``, and ``OtherProcess`` in the child of a process that has used them: a
        call there may never end, whatever its deadline."""
        self._home.check()
        if self._closed:
            raise Closed

    def take(self) -> Lease[Channel]:
        """A line for a call that is made now; raises as ``check``."""
        self.check()
        with self._lock:
            if self._closed:
                raise Closed
            if self._line is None or self._renewed():
                self._line = self._replaced()
            self._line.calls += 1
            return Lease(self, self._line)

    def give_back(self, lease: Lease[Channel]) -> None:
        """The call on it has ended."""
        with self._lock:
            if lease.line is not None:
                lease.line.calls -= 1
                lease.line = None

    def unused(self) -> Sequence[Channel]:
        """The channels that were given up and carry nothing any more, once each, for the caller to close."""
        if not self._retired:  # nearly always, and nothing is lost by a look without the lock
            return ()
        with self._lock:
            ended = [line for line in self._retired if not line.calls]
            self._retired = [line for line in self._retired if line.calls]
            return [line.channel for line in ended]

    def close(self) -> Sequence[Channel]:
        """No line is taken any more; all channels, whatever they carry, for the caller to close. In the child of a fork
        there are none: they are its parent's."""
        if not self._home.is_here:
            return []
        with self._lock:
            lines = [*self._retired, *([self._line] if self._line else [])]
            self._closed, self._line, self._retired = True, None, []
            return [line.channel for line in lines]

    def _replaced(self) -> Line[Channel]:
        opened = Line(self._open_channel())
        if self._line is not None:
            self._retired.append(self._line)
        return opened
