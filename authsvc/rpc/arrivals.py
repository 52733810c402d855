"""Waiting for a call's message without a thread.

The library hands a call to a thread, which then waits for the message. That costs a thread for as long as a caller
likes, and where the message is there already it costs a second hand-over between threads: more than all of our own
work on a validation. Here the receiving is begun on the serving thread, where the library also tells that the message
is there; only then a thread is used, or none at all where the answer needs no waiting.

The library lets a handler bring a pool of its own (``experimental_thread_pool``); what is used beyond that is not
public: ``_server._receive_message``, ``_status``, ``_abort``, ``_Context`` and ``_RequestIterator``. docs/decisions
says why, the tests of bodies and of waiting hold it, and pyproject.toml keeps the library to the versions they were
run with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from google.protobuf.message import Message
from grpc import _server
from grpc._cython import cygrpc  # type: ignore[attr-defined]

from authsvc.errors import AuthError
from authsvc.rpc.call import Call
from authsvc.rpc.interceptors.deadline import check_remaining
from authsvc.rpc.patience import Patience, Wait
from authsvc.rpc.together import HASTE, Together

Serve = Callable[[Call], Message]


class Arrivals(ThreadPoolExecutor):
    """Stands in the place of a pool, and gives calls to ``pool`` once their message is there.

    ``serve`` is the way of a call on a thread; ``completed`` is told of calls that were answered from memory without
    it, which none is where it is None. Calls of the methods in ``together`` are served by the thread of their method.
    """

    def __init__(
        self,
        serve: Serve,
        completed: Callable[[Call], None] | None,
        patience: Patience,
        *,
        pool: ThreadPoolExecutor,
        refusals: ThreadPoolExecutor,
        together: Mapping[str, Together],
    ) -> None:
        super().__init__(max_workers=1)  # none is ever started: the library asks for the type
        self._serve = serve
        self._completed = completed
        self._patience = patience
        self._pool = pool
        self._refusals = refusals
        self._together = together

    # Any: the library's own, without types. It passes a call's event, state and handler, and what it would do itself.
    def submit(self, _run: Any, _work: Any, event: Any, state: Any, handler: Any, /, *_: Any) -> Any:  # type: ignore[override]
        """Called by the library on the serving thread, instead of its own work."""
        arrival = _Arrival(handler.call, event, state, self._serve)
        try:
            seconds = event.call_details.deadline - time.time()  # as the library counts it
            check_remaining(seconds)
            arrival.call.hurried = seconds < HASTE
            wait = self._patience.expect(arrival.call, event.call.cancel)
        except AuthError as refusal:
            arrival.call.refusal = refusal
            return self._refusals.submit(arrival)  # the future of it: the call may be over before the library asks
        arrival.receive(lambda: self._arrived(arrival, wait))
        return arrival

    def _arrived(self, arrival: _Arrival, wait: Wait) -> None:
        """Runs on the serving thread: it must not wait, nor raise."""
        self._patience.arrived(wait)
        call, completed = arrival.call, self._completed
        if call.body is None:
            self._pool.submit(arrival)
        elif completed and (answer := _remembered(call)) is not None:
            arrival.answer(answer, completed)
        elif (together := self._together.get(call.name)) is not None:
            together.add(arrival)
        else:
            self._pool.submit(arrival)


def _remembered(call: Call) -> bytes | None:
    """The answer to the call where that is known; a call that this breaks at goes the whole way."""
    remembered, body = call.known_method.remembered, call.body
    if remembered is None or body is None or len(body) > call.known_method.largest_request:
        return None
    try:
        return remembered(call)
    except Exception:  # noqa: BLE001 - raised on the serving thread it would end the serving
        return None


class _Arrival:
    """A call from its metadata to its answer; for the library it is the future of its work."""

    __slots__ = ("_done", "_event", "_serve", "_state", "call")

    def __init__(self, call: Call, event: Any, state: Any, serve: Serve) -> None:
        self.call = call
        self._event = event
        self._state = state
        self._serve = serve
        self._done: Callable[[Any], object] | None = None

    def receive(self, then: Callable[[], object]) -> None:
        """Begin to receive the message; ``then`` is called on the serving thread when it is there or never will be."""
        state = self._state
        received = _server._receive_message(state, self._event.call, None)

        def arrived(event: Any) -> Any:
            finished = received(event)
            self.call.body = state.request
            try:
                then()
            except Exception:  # noqa: BLE001 - no thread can be started, say: one call ends, and not the serving
                self._event.call.cancel()
            return finished

        # An operation of its own each time: it owns the memory of its message.
        self._event.call.start_server_batch((cygrpc.ReceiveMessageOperation(0),), arrived)
        state.due.add(_server._RECEIVE_MESSAGE_TOKEN)

    def add_done_callback(self, done: Callable[[Any], object]) -> None:
        """The library counts calls by it."""
        self._done = done

    def answer(self, encoded: bytes, completed: Callable[[Call], None]) -> None:
        """End the call with that answer."""
        self._begin()
        completed(self.call)
        self.end(encoded)

    def __call__(self) -> None:
        """Serve the call on this thread."""
        encoded = self.serve()
        if encoded is not None:
            self.end(encoded)

    def serve(self) -> bytes | None:
        """The encoded answer, which nobody is told yet; None for a call that was refused, and is over."""
        self._begin()
        try:
            return self._serve(self.call).SerializeToString()
        except Exception as error:  # noqa: BLE001 - ours were made a status; what else comes here must not be shown
            self._abort(error)  # here: whoever kept it would keep the call's stream
            return None

    def _begin(self) -> None:
        context = _server._Context(self._event, self._state, None)
        self.call.begin(context, _server._RequestIterator(self._state, self._event.call, None))

    def end(self, encoded: bytes) -> None:
        """Tell the caller."""
        _server._status(self._event, self._state, encoded)
        self._tell()

    def _abort(self, error: Exception) -> None:
        with self._state.condition:
            if error not in self._state.rpc_errors:  # those say that nobody is left to be told
                _server._abort(self._state, self._event.call, cygrpc.StatusCode.unknown, b"")
        self._tell()

    def _tell(self) -> None:
        if self._done is not None:
            self._done(self)
