"""A call whose caller does not wait for it, and that may be made once more before it is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc

from authsvc.client.attaching.succession import Again, Spawn, Succession
from authsvc.clock import deadline_after, seconds_left

if TYPE_CHECKING:
    Future = grpc.Future[Any]
else:
    Future = grpc.Future  # it takes no arguments but those of its stub


class PendingCall(grpc.Call, Future):
    """Stands for the call that will give the answer: the first, or the one that is made after it.

    ``again`` gives what makes it anew, or None; it may wait, so ``spawn`` runs it where nobody does.
    """

    def __init__(self, call: Any, again: Again, spawn: Spawn) -> None:
        self._succession = Succession(call, again, spawn)
        call.add_done_callback(self._succession.ended)  # on gRPC's own thread, which must go on

    def result(self, timeout: float | None = None) -> Any:
        """The answer; raises what the call ended with, ``grpc.FutureTimeoutError`` or ``grpc.FutureCancelledError``."""
        deadline = None if timeout is None else deadline_after(timeout)
        last = self._last_call(timeout)
        return last.result(None if deadline is None else max(seconds_left(deadline), 0))

    def exception(self, timeout: float | None = None) -> Any:
        """What the call ended with; None after an answer."""
        deadline = None if timeout is None else deadline_after(timeout)
        last = self._last_call(timeout)
        return last.exception(None if deadline is None else max(seconds_left(deadline), 0))

    def traceback(self, timeout: float | None = None) -> Any:
        """As of the call."""
        return self._last_call(timeout).traceback(timeout)

    def add_done_callback(self, fn: Callable[[Any], Any]) -> None:
        """Call ``fn`` with this call when it is done."""

        def known(last: Any) -> None:
            if last.exception() is None:
                last.result().add_done_callback(lambda _: fn(self))
            else:
                fn(self)

        self._succession.last.add_done_callback(known)

    def cancel(self) -> bool:
        """Give it up, unless it is done: whatever still comes is nobody's, and it is not made again."""
        if self.done():
            return False
        self._succession.give_up()
        return True

    def cancelled(self) -> bool:
        """Whether it was given up."""
        return self.done() and bool(self._succession.call.cancelled())

    def running(self) -> bool:
        """Whether it is not done."""
        return not self.done()

    def done(self) -> bool:
        """Whether the answer, or the error, is there."""
        return self._succession.last.done() and bool(self._succession.call.done())

    def is_active(self) -> bool:
        """Whether it is not done."""
        return not self.done()

    def time_remaining(self) -> Any:
        """As of the call."""
        return self._succession.call.time_remaining()

    def add_callback(self, callback: Any) -> Any:
        """As of the call that is under way now."""
        return self._succession.call.add_callback(callback)

    def initial_metadata(self) -> Any:
        """As of the call; waits for it."""
        return self._last_call(None).initial_metadata()

    def trailing_metadata(self) -> Any:
        """As of the call; waits for it."""
        return self._last_call(None).trailing_metadata()

    def code(self) -> Any:
        """As of the call; waits for it."""
        return self._last_call(None).code()

    def details(self) -> Any:
        """As of the call; waits for it."""
        return self._last_call(None).details()

    def _last_call(self, timeout: float | None) -> Any:
        try:
            return self._succession.last.result(timeout)
        except TimeoutError:
            raise grpc.FutureTimeoutError from None
