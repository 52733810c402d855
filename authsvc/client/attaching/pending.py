"""A call whose caller does not wait for it, and that may be made once more before it is done."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc

from authsvc.clock import deadline_after, seconds_left

if TYPE_CHECKING:
    Future = grpc.Future[Any]
else:
    Future = grpc.Future  # it takes no arguments but those of its stub


class PendingCall(grpc.Call, Future):
    """Stands for the call that will give the answer: the first, or the one that is made after it.

    ``again`` makes it anew, or gives None; it may wait, so ``spawn`` runs it where nobody does.
    """

    def __init__(self, call: Any, again: Callable[[Any], Any], spawn: Callable[[Callable[[], None]], object]) -> None:
        self._call = call
        self._again = again
        self._spawn = spawn
        self._last: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._cancelled = False
        call.add_done_callback(self._ended)

    def _ended(self, call: Any) -> None:
        # gRPC's own thread is here: it must go on.
        if call.code() is grpc.StatusCode.UNAUTHENTICATED:
            self._spawn(self._renew)
        else:
            self._last.set_result(call)

    def _renew(self) -> None:
        try:
            second = None if self._cancelled else self._again(self._call)
        except Exception as fault:  # noqa: BLE001 - a channel that was closed meanwhile, say
            self._last.set_exception(fault)
            return
        if second is not None:
            self._call = second
            if self._cancelled:
                second.cancel()
        self._last.set_result(self._call)

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
        self._last.add_done_callback(lambda last: last.result().add_done_callback(lambda _: fn(self)))

    def cancel(self) -> bool:
        """Give it up, unless it is done: whatever still comes is nobody's, and it is not made again."""
        if self.done():
            return False
        self._cancelled = True
        self._call.cancel()
        return True

    def cancelled(self) -> bool:
        """Whether it was given up."""
        return self._cancelled or bool(self._last.done() and self._call.cancelled())

    def running(self) -> bool:
        """Whether it is not done."""
        return not self.done()

    def done(self) -> bool:
        """Whether the answer, or the error, is there."""
        return self._last.done() and bool(self._call.done())

    def is_active(self) -> bool:
        """Whether it is not done."""
        return not self.done()

    def time_remaining(self) -> Any:
        """As of the call."""
        return self._call.time_remaining()

    def add_callback(self, callback: Any) -> Any:
        """As of the call that is under way now."""
        return self._call.add_callback(callback)

    def initial_metadata(self) -> Any:
        """As of the call; waits for it."""
        return self._last_call(None).initial_metadata()

    def trailing_metadata(self) -> Any:
        """As of the call; waits for it."""
        return self._last_call(None).trailing_metadata()

    def code(self) -> Any:
        """As of the call; waits for it."""
        return grpc.StatusCode.CANCELLED if self._cancelled else self._last_call(None).code()

    def details(self) -> Any:
        """As of the call; waits for it."""
        return "given up by the caller" if self._cancelled else self._last_call(None).details()

    def _last_call(self, timeout: float | None) -> Any:
        if self._cancelled:
            raise grpc.FutureCancelledError
        try:
            return self._last.result(timeout)
        except TimeoutError:
            raise grpc.FutureTimeoutError from None
