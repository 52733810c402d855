"""One line per call when it is over, refusals included: what, how it ended, for whom, how long."""

from __future__ import annotations

import re
import time

import grpc
from google.protobuf.message import Message

from authsvc.clock import Randomness
from authsvc.logs import Logger
from authsvc.metrics import CallMetrics
from authsvc.rpc.call import Call
from authsvc.rpc.interceptors.step import Interceptor, Proceed

# W3C Trace Context, section 3.2: version, trace id, parent id, flags.
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}.*", re.ASCII)


class RequestLog(Interceptor):
    """Outermost: it sees the final status of every call, whoever refused it."""

    def __init__(self, log: Logger, randomness: Randomness, metrics: CallMetrics) -> None:
        self._log = log
        self._randomness = randomness
        self._metrics = metrics

    def serve(self, call: Call, proceed: Proceed) -> Message:
        """Let the call pass and write its line, whatever happens."""
        try:
            return proceed(call)
        finally:
            self.completed(call)

    def completed(self, call: Call) -> None:
        """Give back the call's places, count it and write its line: it is over."""
        call.leave()
        code = call.code
        seconds = time.perf_counter() - call.started
        self._metrics.completed(call.name, code.name, call.reason, seconds)
        write = self._log.error if code is grpc.StatusCode.INTERNAL else self._log.info
        write(
            "call completed",
            method=call.name,
            code=code.name,
            reason=call.reason,
            duration_ms=round(seconds * 1000, 3),
            principal=call.principal.account_id if call.principal is not None else "",
            app=call.app,
            trace_id=call.trace_id or self._trace_id(call),
            peer=call.context.peer(),
            error_id=call.error_id,
        )

    def _trace_id(self, call: Call) -> str:
        for value in call.values("traceparent"):
            parts = _TRACEPARENT.fullmatch(value) if isinstance(value, str) else None
            if parts is not None:
                return parts[1]
        return self._randomness(16).hex()
