"""How many calls may be in flight, in all and for one principal: beyond that a caller is told at once to come later."""

from __future__ import annotations

import threading
from datetime import timedelta

from authsvc.errors import Exhausted, Reason, Unavailable
from authsvc.rpc.call import Call
from authsvc.rpc.interceptors.step import Interceptor
from authsvc.rpc.methods import Form
from authsvc.rpc.tickets import Places

IN_FLIGHT = 1_024
IN_FLIGHT_RESERVED = 128
IN_FLIGHT_PRINCIPAL = 512

STREAMS = 2_000
STREAMS_PRINCIPAL = 256
DIALOGS = 16

_ALL = ""
_SOON = timedelta(seconds=1)


class GlobalAdmission(Interceptor):
    """Health and revocation keep places of their own, so that an overload can be seen and ended."""

    def __init__(self, *, in_flight: int = IN_FLIGHT, reserved: int = IN_FLIGHT_RESERVED) -> None:
        self._places = Places()
        self._in_flight = in_flight
        self._reserved = reserved
        self._draining = threading.Event()

    def drain(self) -> None:
        """Admit nothing more but health: the server is about to stop."""
        self._draining.set()

    def arrive(self, call: Call) -> None:
        """Take a place; raises OVERLOADED when there is none, DRAINING when the server stops."""
        reserved = call.method is not None and call.method.reserved
        if self._draining.is_set() and not reserved:
            raise Unavailable(Reason.DRAINING, retry_after=_SOON)
        if is_stream(call):
            return
        ticket = self._places.take(_ALL, self._in_flight + (self._reserved if reserved else 0))
        if ticket is None:
            raise Exhausted(Reason.OVERLOADED, retry_after=_SOON)
        call.tickets.append(ticket)


class PrincipalAdmission(Interceptor):
    """One principal cannot take all places."""

    def __init__(self, *, in_flight: int = IN_FLIGHT_PRINCIPAL) -> None:
        self._places = Places()
        self._in_flight = in_flight

    def arrive(self, call: Call) -> None:
        """Take a place of the principal; raises RATE_LIMITED when it has none left."""
        if call.principal is None or is_stream(call):
            return
        ticket = self._places.take(call.principal.account_id, self._in_flight)
        if ticket is None:
            raise Exhausted(Reason.RATE_LIMITED, retry_after=_SOON)
        call.tickets.append(ticket)


class StreamAdmission(Interceptor):
    """Streams last, so they have a budget of their own; those that hold a thread have a small one."""

    def __init__(
        self, *, streams: int = STREAMS, per_principal: int = STREAMS_PRINCIPAL, dialogs: int = DIALOGS
    ) -> None:
        self._all = Places()
        self._principals = Places()
        self._streams = streams
        self._per_principal = per_principal
        self._dialogs = dialogs

    def arrive(self, call: Call) -> None:
        """Take a place for a stream; raises RATE_LIMITED or OVERLOADED when there is none."""
        if call.method is None or not is_stream(call):
            return
        form = call.method.form
        self._take(
            call, self._all, form.name, self._dialogs if form is Form.DIALOG else self._streams, Reason.OVERLOADED
        )
        holder = call.principal.account_id if call.principal is not None else _ALL
        self._take(call, self._principals, holder, self._per_principal, Reason.RATE_LIMITED)

    @staticmethod
    def _take(call: Call, places: Places, holder: str, limit: int, reason: Reason) -> None:
        ticket = places.take(holder, limit)
        if ticket is None:
            raise Exhausted(reason, retry_after=_SOON)
        call.tickets.append(ticket)


def is_stream(call: Call) -> bool:
    """Whether the call lasts."""
    return call.method is not None and call.method.form is not Form.UNARY
