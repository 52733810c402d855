"""Alarms: a call back after a while, each on a thread of its own that the process does not wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta


def start_alarm(span: timedelta, ring: Callable[[], None]) -> Callable[[], None]:
    """Call ``ring`` once, ``span`` from now by the monotonic clock; returns what calls that off."""
    timer = threading.Timer(span.total_seconds(), ring)
    timer.name = "authsvc-alarm"
    timer.daemon = True
    timer.start()
    return timer.cancel
