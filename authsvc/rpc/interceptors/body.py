"""The body: take the one message, bounded in size and in waiting, and parse it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from google.protobuf.message import DecodeError, Message

from authsvc.clock import seconds_left
from authsvc.errors import DeadlinePassed, Exhausted, InvalidRequest, Reason, Violation
from authsvc.rpc.call import Call
from authsvc.rpc.interceptors.step import Interceptor
from authsvc.rpc.methods import Method
from authsvc.rpc.patience import Patience


class Widening(Protocol):
    """Admission that counts by items."""

    def widen(self, call: Call, places: int) -> None:
        """Take further places for a call that has one; raises an ``AuthError`` unless all of them are free."""


class Body(Interceptor):
    """Innermost: nothing of a call's body is looked at before everything else has said yes."""

    def __init__(self, patience: Patience, admissions: Sequence[Widening] = ()) -> None:
        self._patience = patience
        self._admissions = admissions

    def enter(self, call: Call) -> None:
        """Read and parse the request; raises INVALID_REQUEST or REQUEST_TOO_LARGE."""
        raw = call.body
        if raw is None:
            with self._patience.waiting(call):
                raw = next(call.messages, None)
        if raw is None:
            raise InvalidRequest([Violation("", "the call has no request message")])
        if call.request is None:
            call.request = parse_request(call.known_method, raw)
        self._admit_items(call, call.request)
        if call.deadline is not None and seconds_left(call.deadline) <= 0:
            raise DeadlinePassed(Reason.DEADLINE_EXCEEDED)

    def _admit_items(self, call: Call, request: Message) -> None:
        places = call.known_method.places_of(request)
        if places > 1:  # one it has
            for admission in self._admissions:
                admission.widen(call, places - 1)


def parse_request(method: Method, raw: bytes) -> Message:
    """The request message of a method; raises REQUEST_TOO_LARGE, and INVALID_REQUEST for bytes that do not parse."""
    if len(raw) > method.largest_request:
        raise Exhausted(Reason.REQUEST_TOO_LARGE, metadata={"largest_bytes": str(method.largest_request)})
    request = method.request_class()
    try:
        request.ParseFromString(raw)
    except DecodeError:
        raise InvalidRequest([Violation("", "the request message does not parse")]) from None
    return request
