"""From what was raised to what the caller is told: one place, so that nothing else can leak."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from google.rpc import status_pb2

from authsvc.clock import Randomness
from authsvc.errors import AuthError, Reason
from authsvc.logs import Logger
from authsvc.rpc.call import Call
from authsvc.rpc.status import internal_message, message_of


@dataclass(frozen=True, slots=True)
class Explanation:
    """The status for the caller; ``error_id`` names what only the log has more of, and is empty for a refusal."""

    status: status_pb2.Status
    reason: Reason
    error_id: str = ""


class Explanations:
    """An ``AuthError`` becomes its row of the table; anything else becomes INTERNAL with an id that the log has."""

    def __init__(self, log: Logger, randomness: Randomness) -> None:
        self._log = log
        self._randomness = randomness

    def of(self, error: Exception, call: Call) -> Explanation:
        """What to tell about an error of a call, or of one item of it; the log gets what the caller does not."""
        if isinstance(error, AuthError):
            return self._refused(error, call)
        return self._unforeseen(error, call)

    def _refused(self, error: AuthError, call: Call) -> Explanation:
        if error.detail:
            self._log.debug("call refused", method=call.name, reason=error.reason, detail=error.detail)
        return Explanation(message_of(error), error.reason)

    def _unforeseen(self, error: Exception, call: Call) -> Explanation:
        error_id = self._randomness(8).hex()
        place = traceback.extract_tb(error.__traceback__)[-1]
        # The exception's words may hold a token or SQL: its type and the place say enough to find it.
        self._log.error(
            "unforeseen error",
            method=call.name,
            error_id=error_id,
            exception=type(error).__name__,
            path_name=f"{place.filename.rpartition('/authsvc/')[2]}:{place.lineno}",
        )
        return Explanation(internal_message(error_id), Reason.INTERNAL, error_id)
