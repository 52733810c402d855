"""One call: its deadline, its repeats, and the error it may end with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TypeVar

import grpc

from authsvc.client.credential import Bearer
from authsvc.client.errors import AuthClientError, Unavailable
from authsvc.client.retries import NO_RETRIES, Retries
from authsvc.client.status import error_of
from authsvc.client.tracing import trace_context
from authsvc.clock import Deadline, deadline_after, seconds_left

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class Calls:
    """Makes calls with a deadline and the credential each; raises ``AuthClientError`` for those that fail."""

    def __init__(self, bearer: Bearer, *, timeout: timedelta, retries: Retries) -> None:
        self._bearer = bearer
        self._trace_context = trace_context()
        self._timeout = _positive(timeout)
        self._retries = retries

    def once(
        self, method: grpc.UnaryUnaryMultiCallable[Request, Answer], request: Request, timeout: timedelta | None
    ) -> Answer:
        """Make a call that must not happen twice."""
        return self._call(method, request, timeout, NO_RETRIES)

    def repeatable(
        self, method: grpc.UnaryUnaryMultiCallable[Request, Answer], request: Request, timeout: timedelta | None
    ) -> Answer:
        """Make a call that is safe to repeat, and repeat it while the service is unavailable and time is left."""
        return self._call(method, request, timeout, self._retries)

    def _call(
        self,
        method: grpc.UnaryUnaryMultiCallable[Request, Answer],
        request: Request,
        timeout: timedelta | None,
        retries: Retries,
    ) -> Answer:
        limit = self._timeout if timeout is None else _positive(timeout)
        deadline = deadline_after(limit.total_seconds())
        delays = retries.delays()
        while True:
            outcome = self._attempt(method, request, deadline)
            if not isinstance(outcome, AuthClientError):
                return outcome
            delay = _delay(outcome, delays)
            if delay is None or delay >= seconds_left(deadline):
                raise outcome
            retries.pause(delay)

    def _attempt(
        self, method: grpc.UnaryUnaryMultiCallable[Request, Answer], request: Request, deadline: Deadline
    ) -> Answer | AuthClientError:
        # The error is returned, not raised: raised from here it would carry gRPC's frames as its context, and
        # reporters that print the variables of frames would print the credential among the metadata.
        try:
            return method(
                request,
                timeout=max(seconds_left(deadline), 0),
                metadata=(*self._trace_context(), *self._bearer.metadata()),
            )
        except grpc.RpcError as fault:
            return error_of(fault)


def _delay(error: AuthClientError, delays: Iterator[float]) -> float | None:
    """How many seconds to wait before the next repeat; None: there is none."""
    delay = next(delays, None) if isinstance(error, Unavailable) else None
    if delay is None or error.retry_after is None:
        return delay
    return max(delay, error.retry_after.total_seconds())


def _positive(timeout: timedelta) -> timedelta:
    if timeout <= timedelta(0):
        raise ValueError("a timeout is more than 0")
    return timeout
