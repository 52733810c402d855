"""Batches: items worked off in their order, each as if it were a call of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from authsvc.clock import seconds_left
from authsvc.errors import DeadlinePassed, Reason
from authsvc.rpc.call import Call
from authsvc.rpc.explanations import Explanations


class Batches:
    """Works batches off."""

    def __init__(self, explanations: Explanations) -> None:
        self._explanations = explanations

    # Any: the request and the results of a batch are messages of its own method.
    def work_off(self, batch: Any, call: Call, results: Any, serve: Callable[[Any, Any], None]) -> None:
        """Add one result for each item: what ``serve(item, response)`` fills in, or the status of what it raised."""
        for item in batch.requests:
            result = results.add()
            try:
                if call.deadline is not None and seconds_left(call.deadline) <= 0:
                    raise DeadlinePassed(Reason.DEADLINE_EXCEEDED)
                serve(item, result.response)
            except Exception as error:  # noqa: BLE001 - whatever an item raises, the others go on
                # The two are alternatives: what was filled in of the response is gone with this.
                result.status.CopyFrom(self._explanations.of(error, call).status)
