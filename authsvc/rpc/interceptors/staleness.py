"""Nothing is answered from memory that may be too old: not to callers, and not about who they are."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from authsvc.rpc.call import Call
from authsvc.rpc.interceptors.step import Interceptor
from authsvc.trust.freshness import Freshness


class Staleness(Interceptor):
    """One comparison of two numbers for each call. ``exempt``: methods that say for themselves what they rely on."""

    def __init__(self, freshness: Freshness, exempt: AbstractSet[str]) -> None:
        self._freshness = freshness
        self._exempt = exempt

    def arrive(self, call: Call) -> None:
        """Raises STALE for a worker that could not read the store's changes for too long."""
        if self._freshness.stale and call.name not in self._exempt:
            self._freshness.check()
