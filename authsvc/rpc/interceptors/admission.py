"""How many calls may be in flight, in all and for one principal: beyond that a caller is told at once to come later.

A batch counts by its items. It arrives as one call, for until its body is there nobody knows more, and takes the places
of its other items once it is parsed. So whoever batches gets no more of the server than who does not: full batches of
256 items fill the 1,024 places four at a time, and each is worked off on the one thread of its call.
"""

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

    def in_flight(self) -> int:
        """How many calls have a place; streams need none."""
        return self._places.taken(_ALL)

    def drain(self) -> None:
        """Admit nothing more but health and revocations: the server is about to stop."""
        self._draining.set()

    def arrive(self, call: Call) -> None:
        """Take a place; raises OVERLOADED when there is none, DRAINING when the server stops."""
        limit = self._limit(call)
        if self._draining.is_set() and limit == self._limits.in_flight:
            raise Unavailable(Reason.DRAINING, retry_after=_SOON)
        if not is_stream(call):
            _take(call, self._places, _ALL, limit, Reason.OVERLOADED)

    def widen(self, call: Call, places: int) -> None:
        """Take further places for a call that has arrived; raises OVERLOADED unless all of them are free."""
        _take(call, self._places, _ALL, self._limits.in_flight, Reason.OVERLOADED, places)

    def _limit(self, call: Call) -> int:
        """How many places may be taken when this call has its own."""
        limits, method = self._limits, call.method
        if method is None or not (method.reserved or method.revoking):
            return limits.in_flight
        return limits.in_flight + limits.in_flight_revoking + (limits.in_flight_reserved if method.reserved else 0)


class PrincipalAdmission(Interceptor):
    """One principal cannot take all places."""

    def __init__(self, limits: Limits) -> None:
        self._places = Places()
        self._limits = limits

    def arrive(self, call: Call) -> None:
        """Take a place of the principal; raises RATE_LIMITED when it has none left."""
        if call.principal is None or is_stream(call):
            return
        self.widen(call, 1)

    def widen(self, call: Call, places: int) -> None:
        """Take places of the call's principal; raises RATE_LIMITED unless all of them are free."""
        if call.principal is not None:
            revoking = call.method is not None and call.method.revoking
            limit = self._limits.in_flight_principal + (self._limits.in_flight_revoking if revoking else 0)
            _take(call, self._places, call.principal.account_id, limit, Reason.RATE_LIMITED, places)


class StreamAdmission(Interceptor):
    """Streams last, so they have a budget of their own; those that hold a thread have a small one."""

    def __init__(self, limits: Limits) -> None:
        self._all = Places()
        self._callers = Places()
        self._limits = limits

    def arrive(self, call: Call) -> None:
        """Take a place for a stream; raises RATE_LIMITED or OVERLOADED when there is none."""
        if call.method is None or call.undecided or not is_stream(call):
            return
        form, limits = call.method.form, self._limits
        in_all = limits.dialogs if form is Form.DIALOG else limits.streams
        _take(call, self._all, form.name, in_all, Reason.OVERLOADED)
        if call.principal is not None:
            _take(call, self._callers, call.principal.account_id, limits.streams_principal, Reason.RATE_LIMITED)
        else:
            _take(call, self._callers, _OPEN, limits.streams_open, Reason.OVERLOADED)


def is_stream(call: Call) -> bool:
    """Whether the call lasts."""
    return call.method is not None and call.method.form is not Form.UNARY


def _take(call: Call, places: Places, holder: str, limit: int, reason: Reason, number: int = 1) -> None:
    ticket = places.take(holder, limit, number)
    if ticket is None:
        raise Exhausted(reason, retry_after=_SOON)
    call.tickets.append(ticket)
