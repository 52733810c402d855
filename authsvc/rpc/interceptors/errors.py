"""From what was raised to the status the caller gets: one place, so that nothing else can leak."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import grpc
from google.protobuf.message import Message

from authsvc.clock import Randomness
from authsvc.errors import AuthError, Reason
from authsvc.logs import Logger
from authsvc.rpc.call import Call
from authsvc.rpc.interceptors.step import Interceptor, Proceed
from authsvc.rpc.library import status_code
from authsvc.rpc.status import internal_status, status_of


class Errors(Interceptor):
    """An ``AuthError`` becomes its row of the table; anything else becomes INTERNAL with an id that the log has."""

    def __init__(self, log: Logger, randomness: Randomness) -> None:
        self._log = log
        self._randomness = randomness

    def serve(self, call: Call, proceed: Proceed) -> Message:
        """Let the call pass and translate what it raises."""
        with self.translating(call):
            if call.refusal is not None:
                raise call.refusal
            return proceed(call)

    @contextmanager
    def translating(self, call: Call) -> Iterator[None]:
        """Abort the call with the status of whatever is raised inside."""
        try:
            yield
        except AuthError as error:
            self._refuse(call, error)
        except grpc.RpcError:
            raise  # the call was cancelled while it waited for its body: nobody is left to be told
        except Exception as error:
            if status_code(call.context) is not None:
                raise  # an abort of the library's own: its status stands
            self._fail(call, error)

    def _refuse(self, call: Call, error: AuthError) -> NoReturn:
        call.reason = error.reason
        if error.detail:
            self._log.debug("call refused", method=call.shown_name, reason=error.reason, detail=error.detail)
        call.context.abort_with_status(status_of(error))

    def _fail(self, call: Call, error: Exception) -> NoReturn:
        call.reason, call.error_id = Reason.INTERNAL, self._randomness(8).hex()
        place = traceback.extract_tb(error.__traceback__)[-1]
        # The exception's words may hold a token or SQL: its type and the place say enough to find it.
        self._log.error(
            "unforeseen error",
            method=call.shown_name,
            error_id=call.error_id,
            exception=type(error).__name__,
            path_name=f"{place.filename.rpartition('/authsvc/')[2]}:{place.lineno}",
        )
        call.context.abort_with_status(internal_status(call.error_id))
