"""Who wants to know how the store's writing goes: for numbers that people look at, never for a decision."""

from __future__ import annotations

from typing import Protocol


class BatchObserver(Protocol):
    """Told of each batch of changes by the thread that wrote it; must be quick and must not raise.

    On PostgreSQL each transaction is a batch by itself, of one change but for the turns that are sent together.
    """

    def committed(self, changes: int, seconds: float) -> None:
        """That many changes became durable together; the commit took ``seconds``, and what was sent along with it."""

    def failed(self) -> None:
        """A batch failed as a whole: nothing of it was acknowledged."""


class StoreObserver(BatchObserver, Protocol):
    """Told of what a store of any kind does to get its changes in."""

    def undone(self, attempt: int, sql_state: str) -> None:
        """A rival made the server undo a change, which is begun again; by the thread of the call."""


class Unobserved:
    """Nobody wants to know."""

    def committed(self, changes: int, seconds: float) -> None:
        """Nothing."""

    def failed(self) -> None:
        """Nothing."""

    def undone(self, attempt: int, sql_state: str) -> None:
        """Nothing."""
