"""One line per call when it is over, refusals included: what, how it ended, for whom, how long.

The line is written a few milliseconds later by one thread for all calls: written by each call's own thread, it would
cost a call more than all that the call is about.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, NoReturn

import grpc
from google.protobuf.message import Message

from authsvc.clock import Randomness, in_stock
from authsvc.logs import Later, Logger
from authsvc.metrics import CallMetrics
from authsvc.rpc.call import Call
from authsvc.rpc.interceptors.step import Interceptor, Proceed

# W3C Trace Context, section 3.2: version, trace id, parent id, flags.
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}.*", re.ASCII)

_TRACE_ID_BYTES = 16


class _Over(NamedTuple):
    """What the line says of a call. It does not hold the call, whose metadata and body are secrets."""

    method: str
    code: grpc.StatusCode
    reason: str
    seconds: float
    principal: str
    app: str
    trace_id: str
    peer: str
    error_id: str

    def __repr__(self) -> str:  # some of it the caller chose: people put credentials into names too
        return f"<a call that ended with {self.code.name}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a call is not pickled")


class RequestLog(Interceptor):
    """Outermost: it sees the final status of every call, whoever refused it."""

    def __init__(self, log: Logger, randomness: Randomness, metrics: CallMetrics) -> None:
        self._log = log
        self._trace_ids = in_stock(randomness, _TRACE_ID_BYTES)
        self._metrics = metrics
        self._lines: Later[_Over] = Later(self._write, name="authsvc-lines")

    def serve(self, call: Call, proceed: Proceed) -> Message:
        """Let the call pass and see to its line, whatever happens."""
        try:
            return proceed(call)
        finally:
            self.completed(call)

    def completed(self, call: Call) -> None:
        """Give back the call's places and have it counted and its line written: it is over."""
        call.leave()
        self._lines.add(
            _Over(
                call.name,
                call.code,
                call.reason,
                time.perf_counter() - call.started,
                call.principal.account_id if call.principal is not None else "",
                call.app,
                call.trace_id or _trace_id_of(call),
                call.context.peer(),
                call.error_id,
            )
        )

    def flush(self) -> None:
        """Return when every call that is over is counted and has its line."""
        self._lines.flush()

    def close(self) -> None:
        """Write the lines that are left."""
        self._lines.close()

    def _write(self, calls: Sequence[_Over]) -> None:
        with self._log.together():
            for call in calls:
                # Each on its own: what is wrong with one call's number or line costs no other call its own.
                try:
                    self._metrics.completed(call.method, call.code.name, call.reason, call.seconds)
                except Exception as fault:  # noqa: BLE001 - whatever it is, the call has its line
                    self._tell("a call that is over was not counted", call, fault)
                try:
                    self._write_line(call)
                except Exception as fault:  # noqa: BLE001 - and the next one its own
                    self._tell("a call that is over has no line", call, fault)

    def _write_line(self, call: _Over) -> None:
        write = self._log.error if call.code is grpc.StatusCode.INTERNAL else self._log.info
        write(
            "call completed",
            method=call.method,
            code=call.code.name,
            reason=call.reason,
            duration_ms=round(call.seconds * 1000, 3),
            principal=call.principal,
            app=call.app,
            trace_id=call.trace_id or self._trace_ids(_TRACE_ID_BYTES).hex(),
            peer=call.peer,
            error_id=call.error_id,
        )

    def _tell(self, message: str, call: _Over, fault: Exception) -> None:
        with suppress(Exception):  # nothing is left to say it on
            self._log.error(message, method=call.method, exception=fault)


def _trace_id_of(call: Call) -> str:
    for name, value in call.metadata:
        if name == "traceparent" and isinstance(value, str) and (parts := _TRACEPARENT.fullmatch(value)):
            return parts[1]
    return ""
