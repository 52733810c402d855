"""The shape of an interceptor: a part on the serving thread, a part on the call's own thread."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.message import Message

from authsvc.rpc.call import Call

Proceed = Callable[[Call], Message]
"""What lies further in. A call that streams its answers returns its first step's (empty) message from here."""


class Interceptor:
    """By default both parts let the call pass."""

    def arrive(self, call: Call) -> None:
        """Judge the call by its metadata. Runs on the one serving thread: quick, and never waits for a body.

        Raising an ``AuthError`` refuses the call; later interceptors do not see it.
        """

    def serve(self, call: Call, proceed: Proceed) -> Message:
        """Wrap the call on its own thread."""
        return proceed(call)
