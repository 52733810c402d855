"""Token buckets, one for each holder: some calls at once, then one each so often (the algorithm of ITU-T I.371)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import timedelta

from authsvc.clock import Monotonic


class Buckets:
    """Each holder has ``burst`` takes at once, and the bucket of one that waits is full again after ``refill``.

    One number a holder: when its bucket will be full again. At most ``most`` holders are remembered; beyond that the
    one that was not seen for longest is forgotten, and has a full bucket.
    """

    def __init__(self, *, burst: int, refill: timedelta, most: int, monotonic: Monotonic) -> None:
        self._step = refill // timedelta(microseconds=1) * 1_000 // burst
        self._slack = self._step * (burst - 1)
        self._most = most
        self._monotonic = monotonic
        self._full_at: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, holder: str) -> timedelta | None:
        """Take one: None when there was one, else how long until there will be; a refusal takes nothing."""
        with self._lock:
            now = self._monotonic()
            full_at = max(self._full_at.pop(holder, now), now)
            missing = full_at - self._slack - now
            self._full_at[holder] = full_at if missing > 0 else full_at + self._step
            if len(self._full_at) > self._most:
                self._full_at.popitem(last=False)
        return timedelta(microseconds=-(-missing // 1_000)) if missing > 0 else None
