"""``UserTokenInterceptor``: the user's token on every call of a channel whose callers wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import grpc

from authsvc.client.attaching.details import (
    PLACEMENT,
    CallDetails,
    Course,
    NoToken,
    Placement,
    Tokens,
    checked_placement,
)
from authsvc.client.attaching.kept import OneMessage, Sent
from authsvc.client.attaching.pending import PendingCall
from authsvc.client.attaching.refusals import refusal_of
from authsvc.client.attaching.replay import Replay
from authsvc.client.attaching.stream import RenewedStream
from authsvc.client.errors import AuthClientError

Start: TypeAlias = Callable[[CallDetails], Any]
"""Makes an attempt."""


class UserTokenInterceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Attaches the token of ``tokens`` to each call: ``grpc.intercept_channel(channel, UserTokenInterceptor(tokens))``.

    A call that the peer refuses because the token has expired or was revoked is made once more with the next token; a
    stream only as long as none of its answers was delivered, and none of more than 64 messages was sent. A call that
    brings the header itself is left alone. Without a token a call ends with ``NoToken``, a ``grpc.RpcError``. Where no
    token is there yet, ``future`` waits for the first one.

    The channel decides who can read the token: use TLS unless the peer is on this host. Make no call on a channel that
    was closed: behind interceptors of whatever kind grpcio 1.85 then ends the process, where it else raises.
    """

    def __init__(self, tokens: Tokens, *, placement: Placement = PLACEMENT) -> None:
        self._tokens = tokens
        self._placement = checked_placement(placement)

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """One message, one answer."""
        return self._unary(client_call_details, lambda details: continuation(details, request), OneMessage())

    def intercept_stream_unary(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        """Many messages, one answer."""
        replay = Replay(request_iterator)
        return self._unary(client_call_details, lambda details: continuation(details, replay.messages()), replay)

    def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """One message, many answers."""
        return self._stream(client_call_details, lambda details: continuation(details, request), OneMessage())

    def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        """Many messages, many answers."""
        replay = Replay(request_iterator)
        return self._stream(client_call_details, lambda details: continuation(details, replay.messages()), replay)

    def _unary(self, details: Any, start: Start, sent: Sent) -> Any:
        course = Course(details, self._placement)
        if course.has_its_own:
            sent.settle()
            return start(details)
        token = self._token(course)
        call = start(course.with_token(token))
        if call.done() and refusal_of(call) is None:
            return call
        # Nothing tells a caller that waits from one of ``future``, who must not be kept waiting: both get a future.
        return PendingCall(call, lambda ended: self._again(ended, course, start, sent, token), _on_a_thread)

    def _stream(self, details: Any, start: Start, sent: Sent) -> Iterator[Any]:
        course = Course(details, self._placement)
        if course.has_its_own:
            sent.settle()
            own: Iterator[Any] = start(details)
            return own
        token = self._token(course)
        call = start(course.with_token(token))
        return RenewedStream(
            call, lambda ended: self._again(ended, course, start, sent, token), sent.settle, _on_a_thread
        )

    def _token(self, course: Course) -> str:
        try:
            return self._tokens.token(timeout=course.patience)
        except AuthClientError as error:
            raise NoToken(error) from error

    def _again(self, ended: Any, course: Course, start: Start, sent: Sent, token: str) -> Callable[[], Any] | None:
        """What makes the same call with the next token; None where that would not help, or there is none."""
        status = refusal_of(ended)
        if status is None or course.is_over or not sent.hand_on():
            return None
        try:
            renewed = self._tokens.renewed(token, status, timeout=course.patience)
        except AuthClientError:  # the caller is told what the peer said
            return None
        return lambda: start(course.with_token(renewed))


def _on_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="authsvc-client-call", daemon=True).start()
