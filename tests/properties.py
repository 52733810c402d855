"""How the property tests run: bounded in number, never by time, which another job on the machine may take."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
