"""A stream of answers that may begin anew with another token, as long as none was delivered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import grpc


class RenewedStream(grpc.Call, Iterator[Any]):
    """Stands for the call that is under way: the first, or the one that took its place.

    ``again`` makes the call anew, or gives None. ``settle`` is called when that can no longer happen.
    """

    def __init__(self, call: Any, again: Callable[[Any], Any], settle: Callable[[], None]) -> None:
        self._call = call
        self._again = again
        self._settle = settle
        self._settled = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        try:
            message = next(self._call)
        except grpc.RpcError as fault:
            second = None if self._settled else self._again(fault)
            if second is None:
                raise
            self._call = second
            self._settled = True
            return next(second)
        if not self._settled:
            self._settled = True
            self._settle()
        return message

    def cancel(self) -> Any:
        """As of the call."""
        return self._call.cancel()

    def is_active(self) -> Any:
        """As of the call."""
        return self._call.is_active()

    def time_remaining(self) -> Any:
        """As of the call."""
        return self._call.time_remaining()

    def add_callback(self, callback: Any) -> Any:
        """As of the call that is under way now."""
        return self._call.add_callback(callback)

    def initial_metadata(self) -> Any:
        """As of the call."""
        return self._call.initial_metadata()

    def trailing_metadata(self) -> Any:
        """As of the call."""
        return self._call.trailing_metadata()

    def code(self) -> Any:
        """As of the call."""
        return self._call.code()

    def details(self) -> Any:
        """As of the call."""
        return self._call.details()
