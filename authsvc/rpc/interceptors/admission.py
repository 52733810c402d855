"""How many calls may be in flight, in all and for one principal: beyond that a caller is told at once to come later."""

from __future__ import annotations

import threading
from datetime import timedelta

from authsvc.errors import Exhausted, Reason, Unavailable
from authsvc.rpc.call import Call
from authsvc.rpc.interceptors.step import Interceptor
from authsvc.rpc.limits import Limits
from authsvc.rpc.methods import Form
from authsvc.rpc.tickets import Places

_ALL = ""
_OPEN = ""
_SOON = timedelta(seconds=1)


class GlobalAdmission(Interceptor):
    """Health and revocation keep places of their own, so that an overload can be seen and ended."""

    def __init__(self, limits: Limits) -> None:
        self._places = Places()
        self._limits = limits
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
        limit = self._limits.in_flight + (self._limits.in_flight_reserved if reserved else 0)
        ticket = self._places.take(_ALL, limit)
        if ticket is None:
            raise Exhausted(Reason.OVERLOADED, retry_after=_SOON)
        call.tickets.append(ticket)


class PrincipalAdmission(Interceptor):
    """One principal cannot take all places."""

    def __init__(self, limits: Limits) -> None:
        self._places = Places()
        self._limits = limits

    def arrive(self, call: Call) -> None:
        """Take a place of the principal; raises RATE_LIMITED when it has none left."""
        if call.principal is None or is_stream(call):
            return
        ticket = self._places.take(call.principal.account_id, self._limits.in_flight_principal)
        if ticket is None:
            raise Exhausted(Reason.RATE_LIMITED, retry_after=_SOON)
        call.tickets.append(ticket)


class StreamAdmission(Interceptor):
    """Streams last, so they have a budget of their own; those that hold a thread have a small one."""

    def __init__(self, limits: Limits) -> None:
        self._all = Places()
        self._callers = Places()
        self._limits = limits

    def arrive(self, call: Call) -> None:
        """Take a place for a stream; raises RATE_LIMITED or OVERLOADED when there is none."""
        if call.method is None or not is_stream(call):
            return
        form, limits = call.method.form, self._limits
        in_all = limits.dialogs if form is Form.DIALOG else limits.streams
        self._take(call, self._all, form.name, in_all, Reason.OVERLOADED)
        if call.principal is not None:
            self._take(call, self._callers, call.principal.account_id, limits.streams_principal, Reason.RATE_LIMITED)
        else:
            self._take(call, self._callers, _OPEN, limits.streams_open, Reason.OVERLOADED)

    @staticmethod
    def _take(call: Call, places: Places, holder: str, limit: int, reason: Reason) -> None:
        ticket = places.take(holder, limit)
        if ticket is None:
            raise Exhausted(reason, retry_after=_SOON)
        call.tickets.append(ticket)


def is_stream(call: Call) -> bool:
    """Whether the call lasts."""
    return call.method is not None and call.method.form is not Form.UNARY
