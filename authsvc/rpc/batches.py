"""Batches: items worked off in their order, each as if it were a call of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.message import Message

from authsvc.clock import seconds_left
from authsvc.errors import DeadlinePassed, Reason
from authsvc.rpc.call import Call
from authsvc.rpc.explanations import Explanations

Answer = TypeVar("Answer", bound=Message)


class Batches:
    """Works batches off."""

    def __init__(self, explanations: Explanations) -> None:
        self._explanations = explanations

    # Any: a batch and its answer are messages of their own method.
    def work_off(self, batch: Any, call: Call, answer: type[Answer], serve: Callable[[Any], bytes]) -> Answer:
        """One result for each item: what ``serve(item)`` gives, or the status of what it raised.

        ``serve`` gives an answer with the one result, encoded: messages put together as bytes are one message with the
        results of all, which costs a third of adding each result to the answer.
        """
        return answer.FromString(b"".join([self._result(item, call, answer, serve) for item in batch.requests]))

    def _result(self, item: Any, call: Call, answer: Any, serve: Callable[[Any], bytes]) -> bytes:
        try:
            if call.deadline is not None and seconds_left(call.deadline) <= 0:
                raise DeadlinePassed(Reason.DEADLINE_EXCEEDED)
            return serve(item)
        except Exception as error:  # noqa: BLE001 - whatever an item raises, the others go on
            status = self._explanations.of(error, call).status
            encoded: bytes = answer(results=[{"status": status}]).SerializeToString()
            return encoded
