"""How long a call may take: the caller's deadline, or five seconds."""

from __future__ import annotations

from authsvc.clock import deadline_after
from authsvc.errors import DeadlinePassed, Reason
from authsvc.rpc.call import Call
from authsvc.rpc.interceptors.step import Interceptor

DEFAULT_SECONDS = 5.0
LEAST_SECONDS = 0.010
MOST_SECONDS = 60.0
NEVER_SECONDS = 10 * 365 * 86_400.0


class Deadlines(Interceptor):
    """A handler is not interrupted when a deadline passes, so what cannot be done in time is not begun."""

    def enter(self, call: Call) -> None:
        """Set the call's deadline; refuse a call that came too late."""
        seconds = call.context.time_remaining()
        if seconds > NEVER_SECONDS:  # the library's way to say: none was set
            seconds = DEFAULT_SECONDS
        check_remaining(seconds)
        call.deadline = deadline_after(min(seconds, MOST_SECONDS))


def check_remaining(seconds: float) -> None:
    """Raise DEADLINE_TOO_SHORT for a call with less than that left."""
    if seconds < LEAST_SECONDS:
        raise DeadlinePassed(Reason.DEADLINE_TOO_SHORT)
