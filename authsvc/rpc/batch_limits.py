"""What bounds a batch, which is worked off on one thread like any call.

At most 256 items in 1 MiB; a place among the calls in flight for each item (see ``interceptors.admission``), so that
however large batches are they get no more of the server than single calls would; and the deadline of the call, after
which no further item is begun.
"""

from __future__ import annotations

from typing import Any

from authsvc.errors import InvalidRequest, Violation

PREFIX = "Batch"
"""What the name of a method begins with that takes items."""

MAX_ITEMS = 256
LARGEST_BATCH = 1024 * 1024


# Any: each batch is a message of its own method.
def places_of(batch: Any) -> int:
    """How many places among the calls in flight a batch takes: one for each item.

    Raises ``InvalidRequest`` for no items and for more than 256.
    """
    number = len(batch.requests)
    if not 0 < number <= MAX_ITEMS:
        raise InvalidRequest([Violation("requests", f"must have 1 to {MAX_ITEMS} items; it has {number}")])
    return number
