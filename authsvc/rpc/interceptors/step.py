"""The shape of an interceptor: a part on the serving thread, and two on the call's own thread."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.message import Message

from authsvc.rpc.call import Call

Proceed = Callable[[Call], Message]
"""What lies further in. A call that streams its answers returns its first step's (empty) message from here."""


class Interceptor:
    """By default all parts let the call pass.

    An interceptor has those that it overrides and no others: each costs every call a little.
    """

    def arrive(self, call: Call) -> None:
        """Judge the call by its metadata. Runs on the one serving thread: quick, and never waits for a body.

        Raising an ``AuthError`` refuses the call; later interceptors do not see it.
        """

    def serve(self, call: Call, proceed: Proceed) -> Message:
        """Wrap the call on its own thread."""
        return proceed(call)

    def enter(self, call: Call) -> None:
        """Judge, or complete, the call on its own thread, inside all that wrap it; may raise an ``AuthError``."""


def has_part(interceptor: Interceptor, part: str) -> bool:
    """Whether an interceptor overrides that part."""
    return getattr(type(interceptor), part) is not getattr(Interceptor, part)
