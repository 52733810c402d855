"""The store's clock, as its statements see it.

In production the present is the server's ``clock_timestamp()``: one clock for all who use the store, however their own
clocks differ. Every statement that needs the present takes it as a value that is normally missing, and then asks the
server. A test hands in a moment instead, so that the very same statements can be seen at any time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from authsvc.clock import to_microseconds

Present = Callable[[], datetime | None]
"""Returns the moment to take for the present; None: the server's own."""

NOW: Final = "coalesce(:present::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
"""The present in SQL, in microseconds since 1970; it moves on within a statement, so it is asked for once."""


def servers_clock() -> None:
    """The present is what the server says."""
    return


def microseconds(present: Present) -> int | None:
    """The value for ``:present``."""
    moment = present()
    return None if moment is None else to_microseconds(moment)
