"""The way of every call: all interceptors arrive on the serving thread, then serve on a thread of the pool.

The library offers one hook that runs before a pool thread is used. Everything that can be decided from metadata is
decided there; a call that is refused there is answered from a small pool of its own, so that a refusal is never queued
behind calls that wait for their bodies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
from google.protobuf.message import Message

from authsvc.logs import Logger
from authsvc.rpc.arrivals import Arrivals, Serve
from authsvc.rpc.call import Call
from authsvc.rpc.interceptors.body import Body, parse_request
from authsvc.rpc.interceptors.credentials import Credentials
from authsvc.rpc.interceptors.errors import Errors
from authsvc.rpc.interceptors.request_log import RequestLog
from authsvc.rpc.interceptors.step import Interceptor, has_part
from authsvc.rpc.methods import Form, Method, Send
from authsvc.rpc.patience import Patience
from authsvc.rpc.together import Together

if TYPE_CHECKING:
    from authsvc.rpc.tracing import Tracing  # with its library, which is an extra

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in the stubs only


@dataclass(frozen=True, slots=True)
class Steps:
    """The interceptors, outermost first, and those of them that streams use one by one."""

    chain: Sequence[Interceptor]
    log: RequestLog
    errors: Errors
    credentials: Credentials
    body: Body
    tracing: Tracing | None = None


class Pipeline(grpc.ServerInterceptor):
    """The one interceptor the library sees."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        steps: Steps,
        patience: Patience,
        pool: ThreadPoolExecutor,
        refusals: ThreadPoolExecutor,
        audit: Logger,
    ) -> None:
        """``audit``: whose lines have to be written before answers are given."""
        self._methods = methods
        self._steps = steps
        self._patience = patience
        self._refusals = refusals
        self._arrive = [interceptor.arrive for interceptor in steps.chain if has_part(interceptor, "arrive")]
        self._serve = _nest(steps.chain)
        self._together = {
            name: Together(method.together, pool, audit, name=f"authsvc-{name.rpartition('/')[2]}")
            for name, method in methods.items()
            if method.together is not None and steps.tracing is None
        }
        # What is answered from memory, or done for many, has no span: where those are wanted calls go the whole way.
        completed = steps.log.completed if steps.tracing is None else None
        self._arrivals = Arrivals(
            self._serve, completed, patience, pool=pool, refusals=refusals, together=self._together
        )

    def close(self) -> None:
        """End the threads, once there are no calls any more."""
        for together in self._together.values():
            together.close()

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Handler | None], details: grpc.HandlerCallDetails
    ) -> Handler:
        """Judge a call by its metadata and say who serves it."""
        del continuation  # there are no further handlers: every method is in our table
        method = self._methods.get(details.method)
        call = Call(details.method, method, details.invocation_metadata or ())
        try:
            for arrive in self._arrive:
                arrive(call)
        except Exception as refusal:  # noqa: BLE001 - the library would answer a bug with a bare UNKNOWN and no line
            call.refusal = refusal
        return self._handler(call)

    def _handler(self, call: Call) -> Handler:
        if call.refusal is not None:
            return _Unary(call, self._serve, self._refusals)
        if call.method is None or call.method.form is Form.UNARY:
            # An open call is judged by its peer too, which the library tells to threads only.
            return _Unary(call, self._serve, None if call.principal is None else self._arrivals)
        if call.method.form is Form.DIALOG:
            return grpc.stream_stream_rpc_method_handler(partial(self._dialog, call), None, _serialize)
        watch = partial(self._watch, call)
        watch.experimental_non_blocking = True  # type: ignore[attr-defined]
        return grpc.stream_stream_rpc_method_handler(watch, None, _serialize)

    def _watch(self, call: Call, messages: Iterator[bytes], context: grpc.ServicerContext, send: Send) -> None:
        self._begin_stream(call, messages, context)
        with self._steps.errors.translating(call):
            self._steps.credentials.enter(call)
            self._steps.body.enter(call)
            call.known_method.serve(call.request, call, send)

    def _dialog(self, call: Call, messages: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Message]:
        self._begin_stream(call, messages, context)
        with self._steps.errors.translating(call):
            self._steps.credentials.enter(call)
            yield from call.known_method.serve(self._patient_requests(call), call)
            call.answered = True

    def _begin_stream(self, call: Call, messages: Iterator[bytes], context: grpc.ServicerContext) -> None:
        call.begin(context, messages)
        if self._steps.tracing is not None:
            self._steps.tracing.follow(call)
        if not context.add_callback(partial(self._steps.log.completed, call)):
            self._steps.log.completed(call)  # it was over before it began

    def _patient_requests(self, call: Call) -> Iterator[Message]:
        while True:
            with self._patience.waiting(call):
                raw = next(call.messages, None)
            if raw is None:
                return
            yield parse_request(call.known_method, raw)


class _Unary(grpc.RpcMethodHandler):  # type: ignore[type-arg]
    """The handler of one call, and what the library calls with the call's messages. ``pool`` None: the server's."""

    request_streaming = True  # so that reading the one message is ours
    response_streaming = False
    request_deserializer = None

    def __init__(self, call: Call, serve: Serve, pool: ThreadPoolExecutor | None) -> None:
        self.call = call
        self._serve = serve
        self.experimental_thread_pool = pool

    @property
    def stream_unary(self) -> _Unary:  # type: ignore[override]
        """What the library calls: this."""
        return self

    @staticmethod
    def response_serializer(message: Message) -> bytes:
        return message.SerializeToString()

    def __call__(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> Message:
        self.call.begin(context, messages)
        return self._serve(self.call)


def _nest(chain: Sequence[Interceptor]) -> Serve:
    """All that a call passes on its own thread: those that wrap it, and inside them those that are entered in turn."""
    enter = [interceptor.enter for interceptor in chain if has_part(interceptor, "enter")]

    def innermost(call: Call) -> Message:
        for enter_one in enter:
            enter_one(call)
        answer: Message = call.known_method.serve(call.request, call)
        return answer

    proceed = innermost
    for interceptor in reversed(chain):
        if has_part(interceptor, "serve"):
            proceed = partial(interceptor.serve, proceed=proceed)
    return proceed


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
