"""What a fork cuts off: the thread that follows stays in the parent, and gRPC cannot be taken along either."""

from __future__ import annotations

import os
from typing import Final, Protocol
from weakref import WeakSet


class CutOff(Protocol):
    """What must not go on in a child as if it were still told of changes."""

    def cut_off(self) -> None:
        """The process has forked, and this is the child. Must neither wait nor take a lock: its holder may be gone."""
        ...


# One for the process, as a hook of the system's can never be taken back; it keeps nobody alive.
_living: Final[WeakSet[CutOff]] = WeakSet()


def tell_after_fork(thing: CutOff) -> None:
    """Have ``thing`` told in every child that is forked while it lives; whoever only uses it pays nothing for that."""
    _living.add(thing)


def _forked() -> None:
    for thing in tuple(_living):
        thing.cut_off()


if hasattr(os, "register_at_fork"):  # where processes cannot fork there is nothing to tell
    os.register_at_fork(after_in_child=_forked)
