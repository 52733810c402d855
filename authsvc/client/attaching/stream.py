"""A stream of answers that may begin anew with another token, as long as none was delivered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import grpc

from authsvc.client.attaching.succession import Again, Spawn, Succession


class RenewedStream(grpc.Call, Iterator[Any]):
    """Stands for the call that is under way: the first, or the one that took its place.

    ``again`` gives what makes the call anew, or None; ``spawn`` runs it, so that whoever reads can be told of a cancel
    meanwhile. ``settle`` is called when that can no longer happen.
    """

    def __init__(self, call: Any, again: Again, settle: Callable[[], None], spawn: Spawn) -> None:
        self._succession = Succession(call, again, spawn)
        self._settle = settle

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if self._succession.last.done():
            return next(self._succession.last.result())
        first = self._succession.call
        try:
            message = next(first)
        except grpc.RpcError as fault:
            return self._after(first, fault)
        except StopIteration:
            self._settle_for_good()
            raise
        self._settle_for_good()
        return message

    def _after(self, first: Any, fault: grpc.RpcError) -> Any:
        self._succession.ended(fault)
        try:
            last = self._succession.last.result()
        except BaseException:
            self._succession.give_up()  # nobody reads what would be made now: the wait was interrupted, say
            raise
        if last is first:
            raise fault
        return next(last)

    def _settle_for_good(self) -> None:
        self._succession.settle()
        self._settle()

    def cancel(self) -> bool:
        """Give it up: what is under way is cancelled, and it is not made again."""
        return self._succession.give_up()

    def is_active(self) -> Any:
        """As of the call."""
        return self._succession.call.is_active()

    def time_remaining(self) -> Any:
        """As of the call."""
        return self._succession.call.time_remaining()

    def add_callback(self, callback: Any) -> Any:
        """As of the call that is under way now."""
        return self._succession.call.add_callback(callback)

    def initial_metadata(self) -> Any:
        """As of the call."""
        return self._succession.call.initial_metadata()

    def trailing_metadata(self) -> Any:
        """As of the call."""
        return self._succession.call.trailing_metadata()

    def code(self) -> Any:
        """As of the call."""
        return self._succession.call.code()

    def details(self) -> Any:
        """As of the call."""
        return self._succession.call.details()
