"""How much of the server one caller, and all together, may hold at a time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts of calls, unless a name says seconds. A stream is a call that lasts; all others are *in flight*."""

    in_flight: int = 1_024
    in_flight_revoking: int = 128  # beyond those, for revocations alone: what an overload hides can be ended
    in_flight_reserved: int = 128  # beyond both, for health alone: an overload can be seen
    in_flight_principal: int = 512  # and in_flight_revoking for its revocations

    streams: int = 2_000
    streams_principal: int = 256
    streams_open: int = 1_000  # of callers nobody knows, together: half stays for principals
    dialogs: int = 16  # streams that hold a thread each

    # Of callers of open methods of ours: rates, and also how many calls may come at once.
    open_address_minute: int = 10
    open_app_second: int = 100
    open_remembered: int = 10_000  # addresses; the one not seen for longest is forgotten

    body_seconds: float = 5.0
    # Stalled calls hold a thread each. With the few that may wait for a moment beyond the ration, and the dialogs,
    # they are fewer than the pool has threads: some are always left for calls whose bodies are there.
    stalled_principal: int = 32
    stalled_open: int = 8
    stalled_all: int = 72

    send_seconds: float = 1.0  # for a watcher to take an answer
    heartbeat_seconds: float = 4.0  # between two signs of life of a watch; verifiers are promised one in five
