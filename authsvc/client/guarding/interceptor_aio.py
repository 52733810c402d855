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
from authsvc.client.guarding.demands import AwaitedVerifies, Demand, Demands, Outcome, Questions, check_kind, is_settled
from authsvc.client.guarding.interceptor import parts_of
from authsvc.client.guarding.refusing import Refused, status_of
from authsvc.client.guarding.rules import Rules
from authsvc.client.verifier.checked import CheckedToken

Behaviour: TypeAlias = Callable[..., Any]
Admit: TypeAlias = Callable[[Any, Any], Awaitable[tuple[Any, Any]]]
"""Lets a call through, or ends it: what the method's behaviour is called with."""


class AsyncTokenAuthInterceptor(grpc.aio.ServerInterceptor):
    """As ``TokenAuthInterceptor``, for ``grpc.aio.server(interceptors=[…])`` and an ``AsyncTokenVerifier``.

    It stands before methods that are coroutines or asynchronous generators. A plain function, which ``grpc.aio`` would
    run in a thread, is not called: such a call ends with an error of the server's. Raises ``TypeError`` for a verifier
    that does not let its callers await.
    """

    def __init__(self, verifier: AwaitedVerifies, rules: Rules, *, placement: Placement = PLACEMENT) -> None:
        check_kind(verifier, awaited=True)
        self._verify = verifier.verify
        self._demands = Demands(rules, placement)

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
            make_current(await self._token(demand, demand.questions(request), context))
            return request, context

        return admit

    def _reading(self, demand: Demand) -> Admit:
        async def admit(requests: Any, context: Any) -> tuple[Any, Any]:
            if not demand.about_something:
                make_current(await self._token(demand, demand.first_questions, context))
                return requests, context
            early = await self._outcome(demand, demand.first_questions)
            if is_settled(early):
                await _go_on_with(early, context)
            first = await context.read()
            asked = demand.first_questions if first is grpc.aio.EOF else demand.questions(first)
            make_current(await self._token(demand, asked, context))
            conversation = _Begun(context, first)
            return conversation.messages(), conversation

        return admit

    async def _token(self, demand: Demand, questions: Questions, context: Any) -> CheckedToken:
        return await _go_on_with(await self._outcome(demand, questions), context)

    async def _outcome(self, demand: Demand, questions: Questions) -> Outcome:
        try:
            return await self._verify(demand.token, **questions)
        except (Refused, AuthClientError) as fault:
            return fault


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
