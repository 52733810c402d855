"""Open methods of ours: whoever has no credential is counted by address, before anything of a body is awaited."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from authsvc.rpc.call import Call
from authsvc.rpc.interceptors.step import Interceptor
from authsvc.rpc.strangers import Strangers


class StrangerLimits(Interceptor):
    """On the call's own thread: the library does not tell a call's peer before."""

    def __init__(self, strangers: Strangers, methods: AbstractSet[str]) -> None:
        self._strangers = strangers
        self._methods = methods

    def enter(self, call: Call) -> None:
        """Raises RATE_LIMITED for an address that calls too often."""
        if call.name in self._methods:
            self._strangers.admit(call)
