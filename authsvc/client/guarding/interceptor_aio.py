"""``AsyncTokenAuthInterceptor``: users' tokens on the calls of a service whose methods are awaited."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import grpc
import grpc.aio

from authsvc.client.attaching.details import PLACEMENT, Placement
from authsvc.client.errors import AuthClientError
from authsvc.client.guarding.current import make_current
from authsvc.client.guarding.demands import AwaitedVerifies, Demand, Demands, Outcome, check_kind, is_settled, log_of
from authsvc.client.guarding.interceptor import parts_of
from authsvc.client.guarding.refusing import Refused, status_of
from authsvc.client.guarding.rules import Rules
from authsvc.client.logs import LogOptions
from authsvc.client.verifier.checked import CheckedToken
from authsvc.logs import LoggerSystem

Behaviour: TypeAlias = Callable[..., Any]
Admit: TypeAlias = Callable[[Any, Any], Awaitable[tuple[Any, Any]]]
"""Lets a call through, or ends it: what the method's behaviour is called with."""


class AsyncTokenAuthInterceptor(grpc.aio.ServerInterceptor):
    """As ``TokenAuthInterceptor``, for ``grpc.aio.server(interceptors=[…])`` and an ``AsyncTokenVerifier``.

    It stands before methods that are coroutines or asynchronous generators. A plain function, which ``grpc.aio`` would
    run in a thread, is not called: such a call ends with an error of the server's. Raises ``TypeError`` for a verifier
    that does not let its callers await.
    """

    def __init__(
        self,
        verifier: AwaitedVerifies,
        rules: Rules,
        *,
        placement: Placement = PLACEMENT,
        log_options: LogOptions | LoggerSystem | None = None,
    ) -> None:
        check_kind(verifier, awaited=True)
        self._verify = verifier.verify
        self._demands = Demands(rules, placement, log=log_of(verifier, log_options))

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Stand before the method's own behaviour, of whatever arity; a method that is not there stays so."""
        handler: Any = await continuation(handler_call_details)
        demand = None if handler is None else self._demands.of(handler_call_details)
        if demand is None:
            return handler
        make, behaviour = parts_of(handler)
        admit = self._reading(demand) if handler.request_streaming else self._unary(demand)
        if inspect.isasyncgenfunction(behaviour):
            guarded = _answering(behaviour, admit)
        elif inspect.iscoroutinefunction(behaviour):
            guarded = _returning(behaviour, admit)
        else:
            raise TypeError(f"{handler_call_details.method} is a plain function: make it async")
        return make(guarded, handler.request_deserializer, handler.response_serializer)

    def _unary(self, demand: Demand) -> Admit:
        async def admit(request: Any, context: Any) -> tuple[Any, Any]:
            await self._refuse_early(demand, context)
            make_current(await _go_on_with(await self._outcome(demand, request), context))
            return request, context

        return admit

    def _reading(self, demand: Demand) -> Admit:
        async def admit(requests: Any, context: Any) -> tuple[Any, Any]:
            if not demand.about_something:
                make_current(await _go_on_with(await self._outcome(demand), context))
                return requests, context
            await self._refuse_early(demand, context)
            first = await context.read()
            said = () if first is grpc.aio.EOF else (first,)
            make_current(await _go_on_with(await self._outcome(demand, *said), context))
            conversation = _Begun(context, first)
            return conversation.messages(), conversation

        return admit

    async def _refuse_early(self, demand: Demand, context: Any) -> None:
        """End a call whose token is no good before its message is awaited, or shown to the rule's functions."""
        if demand.about_something and is_settled(early := await self._outcome(demand)):
            await _go_on_with(early, context)

    async def _outcome(self, demand: Demand, *said: Any) -> Outcome:
        try:
            return await self._verify(demand.token, **demand.questions(*said))
        except (Refused, AuthClientError) as fault:
            return fault
        except Exception as fault:  # noqa: BLE001 - what a rule's function raises, say: nobody is let in by it
            return demand.failed(fault)


class _Begun:
    """A call whose first message was read, for methods that read by ``context.read`` and for those that iterate."""

    def __init__(self, context: Any, first: Any) -> None:
        self._context = context
        self._first = [first]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def read(self) -> Any:
        """The next message, from the first on; ``EOF`` after the last."""
        if not self._first:
            return await self._context.read()
        return self._first[0] if self._first[0] is grpc.aio.EOF else self._first.pop()

    async def messages(self) -> AsyncIterator[Any]:
        """All messages, from the first on."""
        while (message := await self.read()) is not grpc.aio.EOF:
            yield message


def _returning(behaviour: Behaviour, admit: Admit) -> Behaviour:
    async def guarded(request: Any, context: Any) -> Any:
        return await behaviour(*await admit(request, context))

    return guarded


def _answering(behaviour: Behaviour, admit: Admit) -> Behaviour:
    async def guarded(request: Any, context: Any) -> AsyncIterator[Any]:
        async for answer in behaviour(*await admit(request, context)):
            yield answer

    return guarded


async def _go_on_with(outcome: Outcome, context: Any) -> CheckedToken:
    """The token; ends the call where there is none."""
    if not isinstance(outcome, CheckedToken):
        status = status_of(outcome)
        await context.abort(status.code, status.details, status.trailing_metadata or ())  # raises
        raise outcome
    return outcome
