"""Ends a call with the status of what was raised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import grpc
from google.protobuf.message import Message

from authsvc.errors import AuthError
from authsvc.rpc.call import Call
from authsvc.rpc.explanations import Explanations
from authsvc.rpc.interceptors.step import Interceptor, Proceed
from authsvc.rpc.library import status_code
from authsvc.rpc.status import as_status


class Errors(Interceptor):
    """Nothing that is raised further in gets past it but as a status, or as an end of the library's own."""

    def __init__(self, explanations: Explanations) -> None:
        self._explanations = explanations

    def serve(self, call: Call, proceed: Proceed) -> Message:
        """Let the call pass and translate what it raises."""
        try:
            if call.refusal is not None:
                raise call.refusal
            return proceed(call)
        except Exception as error:  # noqa: BLE001 - `_end` raises something for each
            # It knows this frame, and that knows the call: only the collector would ever let go of the call's stream.
            call.refusal = None
            self._end(call, error)

    @contextmanager
    def translating(self, call: Call) -> Iterator[None]:
        """Abort the call with the status of whatever is raised inside."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            self._end(call, error)

    def _end(self, call: Call, error: Exception) -> NoReturn:
        if isinstance(error, grpc.RpcError):
            raise error  # the call was cancelled while it waited for its body: nobody is left to be told
        if not isinstance(error, AuthError) and status_code(call.context) is not None:
            raise error  # an abort of the library's own: its status stands
        self._abort(call, error)

    def _abort(self, call: Call, error: Exception) -> NoReturn:
        told = self._explanations.of(error, call)
        call.reason, call.error_id = told.reason, told.error_id
        call.context.abort_with_status(as_status(told.status))
