"""Tokens as a client sees them, and a machine whose clocks, threads and chances are moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from authsvc.client.tokens.renewal import Moment
from authsvc.clock import system_randomness
from authsvc.signing import base64url
from authsvc.signing.strict_json import write_object
from tests.alarms import HandAlarms
from tests.conftest import HandClock

_numbers = count()
BEGIN = HandClock()()


def made_token(user_id: str = "sara", **claims: object) -> str:
    """A token nobody else has, unsigned: a client does not look at signatures."""
    payload = write_object({"user_id": user_id, "jti": str(next(_numbers)), **claims})
    return f"{base64url.encode(b'{}')}.{base64url.encode(payload)}.{base64url.encode(b'signature')}"


def living(clock: Callable[[], datetime], user_id: str = "sara", *, ttl: int = 3600, **claims: object) -> str:
    """A token that is issued now and lives ``ttl`` seconds."""
    now = int(clock().timestamp())
    return made_token(user_id, iat=now, exp=now + ttl, **claims)


def fraction(of: float) -> Callable[[int], bytes]:
    """Chance that always gives the same part of what it may; what names something is still unlike all others."""
    return lambda size: int(of * 2**32).to_bytes(4, "big") if size == 4 else system_randomness(size)


@dataclass
class Machine:
    """A clock, alarms and threads that do what a test says; a thread runs where it is started unless it is held."""

    clock: HandClock = field(default_factory=HandClock)
    alarms: HandAlarms = field(default_factory=HandAlarms)
    held: list[Callable[[], None]] = field(default_factory=list)
    holding: bool = False

    def monotonic(self) -> int:
        """Nanoseconds of a clock that goes with the other."""
        return (self.clock() - BEGIN) // timedelta(microseconds=1) * 1000

    def now(self) -> Moment:
        """The present, as the rules want it."""
        return Moment(self.clock(), self.monotonic() / 1_000_000_000)

    def spawn(self, work: Callable[[], None]) -> None:
        """Run something beside the caller: at once, or when it is let go."""
        if self.holding:
            self.held.append(work)
        else:
            work()

    def let_go(self) -> None:
        """Run what was held."""
        held, self.held, self.holding = self.held, [], False
        for work in held:
            work()

    def ring(self) -> timedelta:
        """Move on to the next alarm, and let it ring; how long that was."""
        alarm = min(self.alarms.waiting, key=lambda each: each.span)
        self.clock.move(seconds=alarm.span.total_seconds())
        self.alarms.waiting.remove(alarm)
        for other in self.alarms.waiting:
            other.span -= alarm.span
        alarm.ring()
        return alarm.span

    @property
    def parts(self) -> dict[str, Any]:
        """What a manager takes."""
        return {
            "clock": self.clock,
            "monotonic": self.monotonic,
            "alarm": self.alarms,
            "randomness": fraction(0.5),
        }


@dataclass
class Provider:
    """A provider that gives what it is told, one thing after the other, and counts."""

    answers: list[Any] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __call__(self, user_id: str) -> str:
        self.asked.append(user_id)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        text: str = answer
        return text

    async def later(self, user_id: str) -> str:
        """The same for those who await."""
        return self(user_id)

    @property
    def count(self) -> int:
        """How often it was asked."""
        return len(self.asked)
