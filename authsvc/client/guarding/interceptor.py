"""``TokenAuthInterceptor``: users' tokens on the calls of a service whose methods run in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import Context
from itertools import chain, islice
from typing import Any, TypeAlias

import grpc

from authsvc.client.attaching.details import PLACEMENT, Placement
from authsvc.client.errors import AuthClientError
from authsvc.client.guarding.current import context_of
from authsvc.client.guarding.demands import Demand, Demands, Outcome, Verifies, check_kind, is_settled, log_of
from authsvc.client.guarding.refusing import Refused, status_of
from authsvc.client.guarding.rules import Rules
from authsvc.client.logs import LogOptions
from authsvc.client.verifier.checked import CheckedToken
from authsvc.logs import LoggerSystem

Behaviour: TypeAlias = Callable[..., Any]
Admitted: TypeAlias = Callable[..., tuple[Context, Callable[[], Any]]]
"""As a behaviour, up to the point where the method's own work begins: that, and the context that it runs in."""

_NON_BLOCKING = "experimental_non_blocking"
_MARKS = (_NON_BLOCKING, "experimental_thread_pool")  # how the library knows behaviours that it treats otherwise
_END = object()


class TokenAuthInterceptor(grpc.ServerInterceptor):
    """Lets a call through whose token fits the rule of its method: ``grpc.server(…, interceptors=[…])``.

    ``rules`` are by method, by service or for all others; a method without any is refused to everyone. In a method
    ``current_token()`` is what the caller's token says. A refused call ends with UNAUTHENTICATED, PERMISSION_DENIED or
    UNAVAILABLE (INVALID_ARGUMENT for what is no cid), and ``google.rpc.ErrorInfo`` of the domain ``authsvc`` says why.
    The token is looked at before a rule's functions are; what they raise is logged, and the caller is told INTERNAL.

    The token is where ``placement`` says: ``authorization: Bearer <token>``. ``log_options`` are as of a client;
    without them it writes through the verifier's loggers. Raises ``ValueError`` for what is no rule and a rule of no
    method, ``TypeError`` for a verifier whose answers are awaited.
    """

    def __init__(
        self,
        verifier: Verifies,
        rules: Rules,
        *,
        placement: Placement = PLACEMENT,
        log_options: LogOptions | LoggerSystem | None = None,
    ) -> None:
        check_kind(verifier, awaited=False)
        self._verify = verifier.verify
        self._demands = Demands(rules, placement, log=log_of(verifier, log_options))

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Stand before the method's own behaviour, of whatever arity; a method that is not there stays so."""
        handler: Any = continuation(handler_call_details)
        demand = None if handler is None else self._demands.of(handler_call_details)
        if demand is None:
            return handler
        make, behaviour = parts_of(handler)
        admitted = self._reading(behaviour, demand) if handler.request_streaming else self._unary(behaviour, demand)
        streaming = handler.response_streaming and not getattr(behaviour, _NON_BLOCKING, False)
        guarded = _answering(admitted) if streaming else _returning(admitted)
        for mark in _MARKS:
            if hasattr(behaviour, mark):
                setattr(guarded, mark, getattr(behaviour, mark))
        return make(guarded, handler.request_deserializer, handler.response_serializer)

    def _unary(self, behaviour: Behaviour, demand: Demand) -> Admitted:
        def admitted(request: Any, context: Any, *send: Any) -> tuple[Context, Callable[[], Any]]:
            self._refuse_early(demand, context)
            token = _go_on_with(self._outcome(demand, request), context)
            return context_of(token), lambda: behaviour(request, context, *send)

        return admitted

    def _reading(self, behaviour: Behaviour, demand: Demand) -> Admitted:
        def admitted(requests: Iterator[Any], context: Any) -> tuple[Context, Callable[[], Any]]:
            self._refuse_early(demand, context)
            first = list(islice(requests, 1)) if demand.about_something else []
            token = _go_on_with(self._outcome(demand, *first), context)
            return context_of(token), lambda: behaviour(chain(first, requests) if first else requests, context)

        return admitted

    def _refuse_early(self, demand: Demand, context: Any) -> None:
        """End a call whose token is no good before its message is awaited, or shown to the rule's functions."""
        if demand.about_something and is_settled(early := self._outcome(demand)):
            _go_on_with(early, context)

    def _outcome(self, demand: Demand, *said: Any) -> Outcome:
        try:
            return self._verify(demand.token, **demand.questions(*said))
        except (Refused, AuthClientError) as fault:
            return fault
        except Exception as fault:  # noqa: BLE001 - what a rule's function raises, say: nobody is let in by it
            return demand.failed(fault)


def parts_of(handler: Any) -> tuple[Callable[..., Any], Behaviour]:
    """What makes another handler of the same arity, and the method's own behaviour."""
    if handler.request_streaming:
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler, handler.stream_stream
        return grpc.stream_unary_rpc_method_handler, handler.stream_unary
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler, handler.unary_stream
    return grpc.unary_unary_rpc_method_handler, handler.unary_unary


def _go_on_with(outcome: Outcome, context: Any) -> CheckedToken:
    """The token; ends the call where there is none."""
    if not isinstance(outcome, CheckedToken):
        context.abort_with_status(status_of(outcome))  # raises
        raise outcome
    return outcome


def _returning(admitted: Admitted) -> Behaviour:
    def guarded(*arguments: Any) -> Any:
        context, work = admitted(*arguments)
        return context.run(work)

    return guarded


def _answering(admitted: Admitted) -> Behaviour:
    def guarded(*arguments: Any) -> Iterator[Any]:
        context, work = admitted(*arguments)
        answers = context.run(work)
        while (answer := context.run(next, answers, _END)) is not _END:
            yield answer

    return guarded
